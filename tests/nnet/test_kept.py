"""Kept checkpoints: damage anywhere is known before torch reads a file, and training goes on from the one before."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from common.errors import InputError
from nnet.extract import main as extract
from nnet.train import main
from nnet.training import checksum
from nnet.training.checkpoint import FORMAT, Checkpoint, DamagedError, load_checkpoint, save_checkpoint
from nnet.training.kept import newest, save_last
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.training_runs import curve, equal_states, terminated_at
from tests.nnet.test_checkpoint import checkpoint


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint."""
    path = tmp_path_factory.mktemp("content") / "last.pt"
    save_checkpoint(path, checkpoint(rng={}))
    return path.read_bytes()


def test_a_byte_that_is_flipped_anywhere_is_noticed(content: bytes) -> None:
    checksum.verify(content)
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        with pytest.raises(InputError):
            checksum.verify(bytes(flipped))


def test_a_cut_anywhere_is_noticed(content: bytes) -> None:
    for size in range(len(content)):
        with pytest.raises(InputError):
            checksum.verify(content[:size])
    with pytest.raises(InputError):
        checksum.verify(content + b"\0")


def test_the_checksum_is_the_archives_comment_and_that_of_sha256sum(content: bytes, tmp_path: Path) -> None:
    comment = zipfile.ZipFile(io.BytesIO(content)).comment
    assert comment.endswith(hashlib.sha256(content[:-64]).hexdigest().encode())
    (tmp_path / "a.pt").write_bytes(content)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["step"] == 7
    assert torch.load(tmp_path / "a.pt", weights_only=True, mmap=True)["step"] == 7


def test_damage_is_known_before_torch_reads_the_file(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    for damaged in (content[:-1], content[:900], content[:-200] + b"\0" + content[-199:], b"", b"foreign " * 400):
        (tmp_path / "last.pt").write_bytes(damaged)
        with pytest.raises(DamagedError, match=r"last\.pt: cannot be read as a checkpoint"):
            load_checkpoint(tmp_path / "last.pt")


def without_checksum(path: Path) -> None:
    """As earlier versions wrote it."""
    state = load_checkpoint(path)
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(Checkpoint)}
    torch.save({"format": FORMAT, **fields}, path)


def test_a_checkpoint_of_an_earlier_version_is_read_and_said_to_have_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_checkpoint(tmp_path / "last.pt", checkpoint())
    assert load_checkpoint(tmp_path / "last.pt").step == 7 and not caplog.text
    without_checksum(tmp_path / "last.pt")
    assert load_checkpoint(tmp_path / "last.pt").step == 7
    assert f"{tmp_path}/last.pt: has no checksum" in caplog.text


def names(exp: Path) -> list[str]:
    return sorted(path.name for path in exp.iterdir())


@pytest.mark.parametrize(
    ("keep", "kept"), [(1, {"last": 5}), (2, {"last": 5, "last-1": 4}), (4, {f"last-{n}": 5 - n for n in (1, 2, 3)})]
)
@pytest.mark.parametrize("links", [True, False])
def test_as_many_are_kept_as_was_asked_for(
    keep: int, kept: dict[str, int], links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    for step in range(1, 6):
        save_last(tmp_path, checkpoint(step=step), keep)
    kept = {"last": 5, **kept}
    assert {path.stem: load_checkpoint(path).step for path in tmp_path.iterdir()} == kept
    save_last(tmp_path, checkpoint(step=6), 1)
    assert names(tmp_path) == ["last.pt"]


def test_a_full_disk_spares_all_that_is_kept_and_says_so(tmp_path: Path) -> None:
    for step in (1, 2):
        save_last(tmp_path, checkpoint(step=step), 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a longer file fails, as on a full disk
    try:
        with pytest.raises(
            InputError, match=r"last\.pt: cannot be written: .*the one before it is untouched; make room"
        ):
            save_last(tmp_path, checkpoint(step=3), 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 4
    path.write_bytes(damaged)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("not a checkpoint\n" * 100)


def foreign(path: Path) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(3)}}, path)


def stopped_run(tiny_corpus: Any, exp: Path, at: int = 11) -> None:
    """Saved were steps 5, 7, 10 and 11; validated were 7 and, in the whole run, 14 and 20."""
    with terminated_at(at):
        assert main(tiny_corpus.command(exp)) == 143


@pytest.fixture
def whole(tiny_corpus: Any, tmp_path: Path) -> Path:
    assert main(tiny_corpus.command(tmp_path / "whole")) == 0
    return tmp_path / "whole"


@pytest.mark.parametrize("damage", [cut, flip, empty, text, foreign])
def test_a_damaged_checkpoint_is_passed_over_and_training_goes_on_from_the_one_before(
    damage: Callable[[Path], None], tiny_corpus: Any, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "parts"
    stopped_run(tiny_corpus, exp)
    assert (load_checkpoint(exp / "last.pt").step, load_checkpoint(exp / "last-1.pt").step) == (11, 10)
    damage(exp / "last.pt")
    damaged = (exp / "last.pt").read_bytes()
    caplog.set_level("INFO")
    caplog.clear()
    assert main(tiny_corpus.command(exp)) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings[0].startswith(f"{exp}/last.pt: ")
    assert warnings[0].endswith("; passed over, going on from last-1.pt, step 10")
    assert warnings[1] == f"{exp}/last.pt: kept as last.pt.damaged"
    assert f"resuming {exp}/last-1.pt after step 10 of 20" in caplog.text
    assert (exp / "last.pt.damaged").read_bytes() == damaged
    assert equal_states(load_checkpoint(whole / "last.pt"), load_checkpoint(exp / "last.pt"))
    assert equal_states(load_checkpoint(whole / "best.pt"), load_checkpoint(exp / "best.pt"))
    assert curve(whole) == curve(exp)


def test_without_a_sound_last_one_the_best_is_gone_on_from(tiny_corpus: Any, whole: Path, tmp_path: Path) -> None:
    exp = tmp_path / "parts"
    stopped_run(tiny_corpus, exp)
    cut(exp / "last.pt")
    flip(exp / "last-1.pt")
    assert newest(exp)[0].name == "best.pt"  # type: ignore[index]
    assert main(tiny_corpus.command(exp)) == 0
    assert equal_states(load_checkpoint(whole / "last.pt"), load_checkpoint(exp / "last.pt")) and curve(whole) == curve(
        exp
    )


def test_a_run_without_its_last_checkpoint_starts_again_and_says_which_one_is_there(
    tiny_corpus: Any, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "parts"
    stopped_run(tiny_corpus, exp)
    (exp / "last.pt").unlink()
    stopped_run(tiny_corpus, exp, 5)
    assert f"{exp}/last.pt does not exist: starting with step 1 (copy {exp}/last-1.pt to it" in caplog.text
    assert [name for name in names(exp) if name.startswith("last")] == ["last.pt"]  # the other run's is gone
    assert main(tiny_corpus.command(exp)) == 0
    assert equal_states(load_checkpoint(whole / "last.pt"), load_checkpoint(exp / "last.pt"))


def test_a_run_without_a_sound_checkpoint_is_refused_and_each_file_named(tiny_corpus: Any, tmp_path: Path) -> None:
    exp = tmp_path / "exp"
    stopped_run(tiny_corpus, exp)
    for name in ("last.pt", "last-1.pt", "best.pt"):
        cut(exp / name)
    before = names(exp)
    message = refusal(main, tiny_corpus.command(exp))
    assert all(f"{exp}/{name}: cannot be read" in message for name in ("last.pt", "last-1.pt", "best.pt"))
    assert f"no intact checkpoint is left in {exp}: remove last.pt and best.pt there to start again" in message
    assert names(exp) == before


def test_a_run_of_an_earlier_version_is_taken_up(
    tiny_corpus: Any, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "parts"
    stopped_run(tiny_corpus, exp)
    (exp / "last-1.pt").unlink()
    for name in ("last.pt", "best.pt"):
        without_checksum(exp / name)
    assert main(tiny_corpus.command(exp)) == 0
    assert f"{exp}/last.pt: has no checksum" in caplog.text
    assert equal_states(load_checkpoint(whole / "last.pt"), load_checkpoint(exp / "last.pt"))


def test_a_damaged_best_model_is_written_again_from_the_checkpoint_of_its_step(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "exp"
    stopped_run(tiny_corpus, exp, 8)  # the best is of step 7, and so is last-1.pt
    best = (exp / "best.pt").read_bytes()
    for damage in (flip, Path.unlink):
        damage(exp / "best.pt")
        stopped_run(tiny_corpus, exp, 9 if damage is flip else 10)
        if damage is flip:
            (exp / "last-1.pt").write_bytes(best)  # step 8 is there now
        assert (exp / "best.pt").read_bytes() == best
    assert "written again from last-1.pt, which is of the same step, 7" in caplog.text


def test_a_best_model_of_another_run_is_not_taken_for_ours(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp, other = tmp_path / "exp", tmp_path / "other"
    stopped_run(tiny_corpus, exp, 8)  # the best is of step 7, and so is last-1.pt
    assert main(tiny_corpus.command(other, "schedule.peak_lr=0.002")) == 0
    best = (exp / "best.pt").read_bytes()
    (exp / "best.pt").write_bytes((other / "best.pt").read_bytes())
    stopped_run(tiny_corpus, exp, 9)
    assert (exp / "best.pt").read_bytes() == best
    assert "best.pt: is of another run; written again from last-1.pt" in caplog.text


def test_a_lost_best_model_gives_way_to_the_best_from_here_on(
    tiny_corpus: Any, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "parts"
    stopped_run(tiny_corpus, exp)
    cut(exp / "best.pt")
    assert main(tiny_corpus.command(exp)) == 0
    assert "it was of step 7, which no other file holds; the best from here on takes its place" in caplog.text
    later = {step: eer for step, eer in load_checkpoint(whole / "last.pt").valid_eers.items() if step > 11}
    assert load_checkpoint(exp / "best.pt").best_eer == min(later.values())


def test_a_best_model_that_is_lost_when_training_is_done_is_an_error_with_the_ways_out(
    tiny_corpus: Any, whole: Path
) -> None:
    state = load_checkpoint(whole / "last.pt")
    if state.best_step == state.step:  # the last validation may be the best one
        state.best_step, state.best_eer = 7, 0.0
        save_checkpoint(whole / "last.pt", state)
    flip(whole / "best.pt")
    message = refusal(main, tiny_corpus.command(whole))
    assert "best.pt: cannot be read" in message and "remove last.pt and best.pt" in message
    assert "copy last.pt to best.pt" in message


def test_extraction_from_a_damaged_best_model_says_what_to_do(tiny_corpus: Any, whole: Path, tmp_path: Path) -> None:
    flip(whole / "best.pt")
    tables = [f"scp:{tiny_corpus.root}/feats.scp", f"ark:{tmp_path}/out.ark"]
    message = refusal(extract, ["--exp", str(whole), *tables])
    assert f"{whole}/best.pt: cannot be read as a checkpoint: its bytes are not those" in message
    assert "give the training command again" in message and "--checkpoint last" in message
    assert not (tmp_path / "out.ark").exists()
    assert extract(["--exp", str(whole), "--checkpoint", "last", *tables]) == 0
