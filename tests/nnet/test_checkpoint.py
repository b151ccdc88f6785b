"""Checkpoints: complete, safe to open, written at once or not at all, and refused by another run."""

from __future__ import annotations

import dataclasses
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from common.errors import InputError
from nnet.training.checkpoint import (
    Checkpoint,
    check_same_run,
    load_checkpoint,
    restore_rng,
    rng_state,
    same_run,
    save_checkpoint,
)
from nnet.training.checkpoint_fields import FIELDS

CPU = torch.device("cpu")


def checkpoint(**changes: Any) -> Checkpoint:
    values: dict[str, Any] = {
        "step": 7,
        "model": {"weight": torch.arange(6.0).reshape(2, 3), "counter": torch.tensor(3)},
        "optimizer": {"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "rng": rng_state(CPU),
        "config": {"embedding": {"dim": 6}, "data": {"workers": 2, "chunk_frames": [200, 400]}},
        "speaker_ids": ["a", "b"],
        "list_digest": "d1",
        "features_conf": "--num-mel-bins=30\n",
        "precision": "float32",
        "best_eer": 0.125,
        "meter": {"loss": 1.5, "correct": 2.0, "chunks": 8.0},
    }
    return Checkpoint(**(values | changes))


def check(state: Checkpoint, **changes: Any) -> None:
    features_conf = "--num-mel-bins=30\n"
    now = {"config": state.config, "speaker_ids": ["a", "b"], "list_digest": "d1", "features_conf": features_conf}
    check_same_run(Path("exp/last.pt"), state, **(now | changes))


def test_a_checkpoint_comes_back_as_it_was_and_needs_no_trust(tmp_path: Path) -> None:
    before = checkpoint()
    save_checkpoint(tmp_path / "last.pt", before)
    after = load_checkpoint(tmp_path / "last.pt")
    assert torch.equal(after.model["weight"], before.model["weight"])
    assert torch.equal(after.rng["cpu"], before.rng["cpu"])
    plain = ("step", "config", "speaker_ids", "list_digest", "features_conf", "precision", "best_eer", "meter")
    assert all(getattr(after, name) == getattr(before, name) for name in plain)
    assert "format" in torch.load(tmp_path / "last.pt", weights_only=True)


def test_restored_generators_draw_the_same_numbers() -> None:
    state = rng_state(CPU)
    drawn = torch.rand(3)
    restore_rng(state, CPU)
    assert torch.equal(torch.rand(3), drawn)


def test_a_full_disk_leaves_the_earlier_checkpoint_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint())
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a write beyond 1000 bytes fails, as on a full disk
    try:
        with pytest.raises(InputError, match=r"last\.pt: cannot be written: .*the one before it is untouched"):
            save_checkpoint(path, checkpoint(step=8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing/last\.pt: cannot be written: No such file.*there was none before"):
        save_checkpoint(tmp_path / "missing" / "last.pt", checkpoint())


# The last two make the unpickler raise IndexError and UnicodeDecodeError.
NO_CHECKPOINTS = [b"", b"no checkpoint", "truncated", b"\x80\x02.", b"\x80\x02X\x01\x00\x00\x00\x90."]


@pytest.mark.parametrize("content", NO_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint())
    path.write_bytes(path.read_bytes()[:1500] if content == "truncated" else content)
    with pytest.raises(InputError, match=r"last\.pt: cannot be read as a checkpoint"):
        load_checkpoint(path)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"is not a checkpoint of nnet\.train"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("format", [torch.tensor([1, 1]), True, 1.0, "1", None, 2])
def test_another_format_is_refused_whatever_its_type(format: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", checkpoint())
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save({**content, "format": format}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt: is not a checkpoint of nnet\.train in format 1"):
        load_checkpoint(tmp_path / "last.pt")


WRONG_FIELDS = [
    ("step", "7", "its step is '7', expected an integer"),
    ("step", True, "its step is True, expected"),
    ("model", [], "its model is of type list, expected names and tensors"),
    ("model", {"weight": 1.5}, r"its model\.weight is 1\.5"),
    ("model", {"weight": torch.zeros(3, device="meta")}, r"its model\.weight is a tensor of float32 on meta"),
    ("optimizer", [1], "its optimizer is of type list"),
    ("optimizer", {"state": {}}, "its optimizer is of type dict, expected a state of torch's"),
    ("rng", {"cpu": torch.zeros(3)}, r"its rng\.cpu is a tensor of float32 on cpu"),
    ("config", [], "its config is of type list, expected sections with options"),
    ("config", {"data": [1]}, r"its config\.data is of type list"),
    ("config", {1: {}}, "its config is of type dict"),
    ("speaker_ids", "ab", "its speaker_ids is 'ab', expected a list of names"),
    ("speaker_ids", ["a", 2], r"its speaker_ids\[1\] is 2"),
    ("list_digest", None, "its list_digest is None"),
    ("features_conf", bytearray(), "its features_conf is of type bytearray"),
    ("precision", 32, "its precision is 32"),
    ("best_eer", torch.tensor(0.1), "its best_eer is a tensor of float32 on cpu, expected a number or"),
    ("best_step", 1.0, "its best_step is 1.0"),
    ("meter", {"loss": "1"}, r"its meter\.loss is '1'"),
    ("meter", {"cost": 1.0}, r"its meter\.cost is 1\.0, expected numbers under chunks, correct, decisions"),
    ("seconds", None, "its seconds is None"),
    ("valid_eers", {"5": 0.1}, "its valid_eers is of type dict, expected steps and numbers"),
    ("valid_eers", {5: None}, r"its valid_eers\.5 is None"),
    ("start_hash", 0, "its start_hash is 0"),
    ("torch_version", (2, 13), "its torch_version is of type tuple"),
]


@pytest.mark.parametrize(("field", "value", "says"), WRONG_FIELDS)
def test_a_field_of_another_type_is_refused_by_name(field: str, value: Any, says: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", checkpoint(**{field: value}))
    with pytest.raises(InputError, match=rf"last\.pt: {says}"):
        load_checkpoint(tmp_path / "last.pt")


def test_the_type_of_every_field_is_known() -> None:
    assert list(FIELDS) == [field.name for field in dataclasses.fields(Checkpoint)]


def test_a_state_of_a_network_and_of_its_optimizer_passes_as_torch_gives_it(tmp_path: Path) -> None:
    net = torch.nn.BatchNorm1d(3)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    before = checkpoint(model=net.state_dict(), optimizer=optimizer.state_dict(), valid_eers={5: 0.25}, seconds=3)
    save_checkpoint(tmp_path / "last.pt", before)
    after = load_checkpoint(tmp_path / "last.pt")
    net.load_state_dict(after.model)
    optimizer.load_state_dict(after.optimizer)
    assert after.valid_eers == {5: 0.25}


@pytest.mark.parametrize(
    ("state", "says"),
    [({}, "has no state of the CPU's"), ({"cpu": torch.zeros(3, dtype=torch.uint8)}, "is not a state of torch's")],
)
def test_generators_are_not_restored_from_what_is_no_state(state: dict[str, torch.Tensor], says: str) -> None:
    with pytest.raises(InputError, match=says):
        restore_rng(state, CPU)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"format": Path("code")}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="cannot be read as a checkpoint: it holds more than plain values") as error:
        load_checkpoint(tmp_path / "last.pt")
    assert "weights_only" not in str(error.value)  # torch's own message recommends to run it


def test_what_killed_jobs_on_other_hosts_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in (".last.pt.writing.node1.12", ".last.pt.writing.node2.a.b.7"):
        (tmp_path / name).write_bytes(b"half")
    other = tmp_path / ".last.pt.damaged.writing.node1.12"
    other.write_bytes(b"of another file")
    save_checkpoint(tmp_path / "last.pt", checkpoint())
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "last.pt"]


def test_the_same_run_is_taken_up_even_with_other_loaders() -> None:
    check(checkpoint())
    check(checkpoint(), config={"embedding": {"dim": 6}, "data": {"workers": 0, "chunk_frames": [200, 400]}})


def test_the_same_run_is_taken_up_after_an_edited_comment_of_the_feature_options() -> None:
    check(checkpoint(), features_conf="# thirty bins\n\n  --num-mel-bins=30  # as before \n")
    edited = dataclasses.replace(checkpoint(), features_conf="# 30\n--num-mel-bins=30\n")
    assert same_run(edited, checkpoint())
    check(edited)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"embedding": {"dim": 5}, "data": {}}}, r"embedding\.dim \(was 6, now 5\).*chunk_frames"),
        ({"speaker_ids": ["a", "c"]}, r"other speakers \(2 then, 2 now\)"),
        ({"list_digest": "d2"}, "was trained on other utterances, lengths or"),
        ({"features_conf": ""}, "other options:\n--num-mel-bins=30"),
        ({"features_conf": "# --num-mel-bins=30\n--num-mel-bins=40\n"}, "other options:\n--num-mel-bins=30"),
    ],
)
def test_another_run_is_refused_with_what_differs_and_the_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check(checkpoint(), **changes)
    assert "to start again" in str(error.value)
