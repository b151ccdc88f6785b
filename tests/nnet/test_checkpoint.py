"""Checkpoints: complete, safe to open, written at once or not at all, and refused by another run."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from nnet.checkpoint import Checkpoint, check_same_run, load, restore_rng, rng_state, save
from nnet.errors import NnetError

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
    save(tmp_path / "last.pt", before)
    after = load(tmp_path / "last.pt")
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
    save(path, checkpoint())
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a write beyond 1000 bytes fails, as on a full disk
    try:
        with pytest.raises(NnetError, match=r"last\.pt: cannot be written: .*the one before it is untouched"):
            save(path, checkpoint(step=8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(NnetError, match=r"missing/last\.pt: cannot be written: No such file.*there was none before"):
        save(tmp_path / "missing" / "last.pt", checkpoint())


# The last two make the unpickler raise IndexError and UnicodeDecodeError.
NO_CHECKPOINTS = [b"", b"no checkpoint", "truncated", b"\x80\x02.", b"\x80\x02X\x01\x00\x00\x00\x90."]


@pytest.mark.parametrize("content", NO_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "last.pt"
    save(path, checkpoint())
    path.write_bytes(path.read_bytes()[:1500] if content == "truncated" else content)
    with pytest.raises(NnetError, match=r"last\.pt: cannot be read as a checkpoint"):
        load(path)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "last.pt")
    with pytest.raises(NnetError, match=r"is no checkpoint of nnet\.train"):
        load(tmp_path / "last.pt")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"format": Path("code")}, tmp_path / "last.pt")
    with pytest.raises(NnetError, match="cannot be read as a checkpoint"):
        load(tmp_path / "last.pt")


def test_the_same_run_is_taken_up_even_with_other_loaders() -> None:
    check(checkpoint())
    check(checkpoint(), config={"embedding": {"dim": 6}, "data": {"workers": 0, "chunk_frames": [200, 400]}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"embedding": {"dim": 5}, "data": {}}}, r"embedding\.dim \(was 6, now 5\).*chunk_frames"),
        ({"speaker_ids": ["a", "c"]}, r"other speakers \(2 then, 2 now\)"),
        ({"list_digest": "d2"}, "was trained on other utterances, lengths or"),
        ({"features_conf": ""}, "other options:\n--num-mel-bins=30"),
    ],
)
def test_another_run_is_refused_with_what_differs_and_the_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NnetError, match=message) as error:
        check(checkpoint(), **changes)
    assert "to start anew" in str(error.value)
