"""Stage markers and counts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError
from recipe.fingerprints import _content_hash, difference, path_fingerprint, tree_fingerprint
from recipe.markers import reason_to_run, refuse_gone, write_marker

from .conftest import Run, table

COUNTS = "utils/check_counts.py"
OPTIONS = {"lda_dim": "200", "seed": "1"}
TABLE = ("in", "in/feats.scp")


def reason(
    inputs: Sequence[str] = ("in",),
    outputs: Sequence[str] = ("out",),
    options: Mapping[str, str] = OPTIONS,
    marker: str = "m/4.json",
) -> str | None:
    """Why the stage must run."""
    return reason_to_run(Path(marker), options, inputs, outputs)


def reason_by_table() -> str | None:
    """The same of a stage without options, whose input is a table."""
    return reason(TABLE, (), {}, "m/1.json")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stage(place: Path) -> Path:
    """A stage that is done: in/a.scp and in/big went in, out came out."""
    table(place / "in", "a.scp", "x y")
    (place / "in" / "big").write_bytes(bytes(1 << 21))
    table(place, "out", "x z")
    write_marker(Path("m/4.json"), OPTIONS, ["in"], ["out"], seconds=2.5)
    return place


@pytest.mark.usefixtures("stage")
def test_a_stage_is_up_to_date_until_something_changes() -> None:
    assert reason() is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda folder: (folder / "in" / "a.scp").write_text("x w\n"), "input in/a.scp changed"),
        (lambda folder: (folder / "in" / "new").write_text("1"), "input in/new changed"),
        (lambda folder: (folder / "in" / "big").touch(), "input in/big changed"),
        (lambda folder: (folder / "out").unlink(), "output out is not there"),
        (lambda folder: (folder / "out").write_text(""), "output out changed"),
        (lambda folder: (folder / "m" / "4.json").unlink(), "never run"),
    ],
)
def test_a_change_is_reported(stage: Path, change, why: str) -> None:
    change(stage)
    assert reason() == why


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"options": {"lda_dim": "50", "seed": "1"}}, "option lda_dim was 200, is 50"),
        ({"options": {**OPTIONS, "new": "1"}}, "option new is new, 1"),
        ({"options": {"lda_dim": "200"}}, "option seed was 1, is no longer given"),
        ({"inputs": ["in", "out"]}, "input out is new"),
        ({"inputs": []}, "input in is no longer used"),
    ],
)
def test_other_facts_are_reported(facts: dict[str, Any], why: str) -> None:
    assert reason(**facts) == why


def test_logs_hidden_files_and_a_small_files_time_do_not_count(stage: Path) -> None:
    (stage / "in" / "x.log").write_text("1")
    (stage / "in" / ".backup").mkdir()
    (stage / "in" / ".x").write_text("1")
    (stage / "in" / "a.scp").touch()
    assert reason() is None


def test_a_stage_without_its_output_is_not_complete(stage: Path) -> None:
    before = (stage / "m" / "4.json").read_text()
    with pytest.raises(InputError, match="the output nothing is not there, so the stage is not complete"):
        write_marker(Path("m/4.json"), {}, [], ["nothing"])
    assert (stage / "m" / "4.json").read_text() == before


def test_the_table_shows_each_stage_with_its_time(stage: Path, run: Run) -> None:
    write_marker(stage / "m" / "5_online.json", {}, [], [], seconds=7, peak_mb=812.5)
    shown = [line.split() for line in run("utils/stage_marker.py", "show", "m").stdout.splitlines()]
    assert shown[0] == ["stage", "finished", "seconds", "peak_mb"]
    assert sorted((line[0], *line[2:]) for line in shown[1:]) == [("4", "2.5"), ("5_online", "7", "812.5")]
    assert run("utils/stage_marker.py", "show", "none").stderr == "stage_marker.py: none: no such directory\n"
    for words in ((), ("check", "m/4.json"), ("show",)):
        assert run("utils/stage_marker.py", *words).returncode == 1


def change_byte(path: Path, place: int) -> None:
    """Another value of one byte, with the time put back."""
    stat = path.stat()
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns


@pytest.mark.parametrize("where", [0, 1234567, (1 << 21) - 1])
def test_a_changed_byte_of_a_large_file_is_seen_although_its_time_was_put_back(stage: Path, where: int) -> None:
    change_byte(stage / "in" / "big", where)
    assert reason() == "input in/big changed"


@pytest.fixture(params=[3, 20000], ids=["small", "large"])
def archived(request: pytest.FixtureRequest, place: Path) -> Path:
    """A stage whose input is a table, small or over 1 MB, of entries in two archives; they lie in no folder of its."""
    for number in (1, 2):
        table(place / "ark", f"raw.{number}.ark", "x" * 5000)
    entries = [f"utt{'-' * 40}{n:06d} ark/raw.{n % 2 + 1}.ark:{n}[0:{n}]" for n in range(request.param)]
    table(place / "in", "feats.scp", *entries)
    write_marker(Path("m/1.json"), {}, TABLE, ())
    return place


def test_archives_of_a_table_are_looked_at_whatever_its_size(archived: Path) -> None:
    assert reason_by_table() is None
    change_byte(archived / "ark" / "raw.2.ark", 2000)
    assert reason_by_table() == "input in/feats.scp names ark/raw.2.ark, which changed"
    (archived / "ark" / "raw.1.ark").unlink()
    assert reason_by_table() == "input in/feats.scp names ark/raw.1.ark, which is not there"


def test_a_copy_with_its_times_and_another_mode_are_no_change(archived: Path) -> None:
    for name in ("in", "ark"):
        subprocess.run(["cp", "-a", name, f"{name}.copy"], cwd=archived, check=True)
        shutil.rmtree(archived / name)
        (archived / f"{name}.copy").rename(archived / name)  # other inodes and change times
    (archived / "ark" / "raw.1.ark").chmod(0o600)
    assert reason_by_table() is None


def test_of_a_huge_file_blocks_are_read_and_a_copy_of_another_one_is_seen(place: Path) -> None:
    huge, size = place / "huge.ark", 1 << 36  # with holes; to read all of it would take a minute
    with huge.open("wb") as stream:
        stream.truncate(size)

    def why() -> str | None:
        _content_hash.cache_clear()  # as a new process
        return reason(["huge.ark"], (), {}, "m/1.json")

    write_marker(Path("m/1.json"), {}, ["huge.ark"], ())
    huge.chmod(0o600)
    assert why() is None
    for where in (0, size // 15 * 7, size - 1):  # the first block, one within, the last
        change_byte(huge, where)
        assert why() == "input huge.ark changed"
        change_byte(huge, where)
        assert why() is None


def test_markers_of_an_earlier_version_still_hold(archived: Path) -> None:
    def size_and_time(path: Path) -> tuple[int, int]:
        return path.stat().st_size, path.stat().st_mtime_ns

    feats = archived / "in" / "feats.scp"
    digest = hashlib.sha256(feats.read_bytes())
    for number in (1, 2):
        digest.update(b"%d %d\n" % size_and_time(archived / "ark" / f"raw.{number}.ark"))
    before = f"sha256:{digest.hexdigest()}"
    if feats.stat().st_size >= 1 << 20:
        before = "size:{} mtime_ns:{}".format(*size_and_time(feats))
    record = json.loads((archived / "m" / "1.json").read_text())
    record["inputs"] = {"in": {"feats.scp": before}, "in/feats.scp": before}
    (archived / "m" / "1.json").write_text(json.dumps(record))
    assert reason_by_table() is None
    feats.write_text(feats.read_text() + "new ark/raw.1.ark:5\n")
    assert reason_by_table() == "input in/feats.scp changed"


LARGE = "size:5000 mtime_ns:1 ctime_ns:2 inode:3 blake2b:4"


@pytest.mark.parametrize(
    "before",
    [None, 5, [], "", {}, LARGE, {"table": 1}, {"table": LARGE, "archives": {}}, {"table": LARGE, "archives": []}],
    ids=str,
)
def test_a_fingerprint_that_is_none_is_a_change(tmp_path: Path, before: object) -> None:
    scp = table(tmp_path, "feats.scp", "a raw.ark:5")
    for path in (scp, table(tmp_path, "text", "a b")):
        assert difference(path, before) == f"{path} changed"
    assert difference(tmp_path, {"feats.scp": path_fingerprint(scp), "text": before}) == f"{tmp_path}/text changed"


@pytest.mark.parametrize("name", ["\0", "x" * 5000, "", "\udcff"])
def test_the_name_of_an_archive_may_be_anything(tmp_path: Path, name: str) -> None:
    scp = table(tmp_path, "feats.scp", "a raw.ark:5")
    before = path_fingerprint(scp)
    assert isinstance(before, dict) and before["archives"] == {"raw.ark": "not there"}
    assert difference(scp, before) is None
    differs = difference(scp, {**before, "archives": {name: LARGE}})
    assert differs is not None and differs.startswith(f"{scp} names {name}, which ")


FACTS: dict[str, Sequence[str]] = {"inputs": ["data/train"], "outputs": ["data/mfcc/train"]}


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with data of stage 1 that was moved from old/ to new/; audio/ stayed where it was."""
    old = tmp_path / "old"
    table(old / "data" / "mfcc" / "ark", "raw.1.ark", "x" * 500)
    table(tmp_path / "audio", "a.wav", "y")
    table(old / "data" / "train", "wav.scp", f"a {tmp_path}/audio/a.wav", f"b {tmp_path}/audio/a.wav")
    table(old / "data" / "train_sp", "wav.scp", f"a sox {old}/data/train/wav.scp -t wav - speed '0.9' | cat |")
    ark = old / "data" / "mfcc" / "ark" / "raw.1.ark"
    table(old / "data" / "mfcc" / "train", "feats.scp", f"a {ark}:2", f"b {ark}:9")
    monkeypatch.chdir(old)
    write_marker(Path("m/1.json"), {}, **FACTS)
    old.rename(tmp_path / "new")
    monkeypatch.chdir(tmp_path / "new")
    return tmp_path


def test_a_moved_checkout_is_named_before_anything_runs(moved: Path) -> None:
    old, new = moved / "old", moved / "new"
    why = reason(**FACTS, options={}, marker="m/1.json")
    ark = "data/mfcc/ark/raw.1.ark"
    says = f"names {old}/{ark}, which is not there, but {new}/{ark} is: {old} was moved"
    with pytest.raises(InputError) as refusal:
        refuse_gone(False, why, **FACTS)
    assert str(refusal.value).startswith(f"data/mfcc/train/feats.scp: {says}")
    assert f"(ln -s {new} {old}), or make all of it again (--stage 0 --force)" in str(refusal.value)
    refuse_gone(True, why, **FACTS)  # the outputs are made again
    for inputs, named in (("data/mfcc/train", says), ("data/train_sp/wav.scp", f"names {old}/data/train/wav.scp,")):
        with pytest.raises(InputError, match=re.escape(named)):  # the inputs of a stage that never ran
            refuse_gone(False, "never run", [inputs], [])
    old.symlink_to(new)
    assert reason(**FACTS, options={}, marker="m/1.json") is None


def test_audio_that_is_gone_altogether_is_named_and_a_lost_file_is_not(place: Path) -> None:
    for number in range(20):
        table(place / "audio", f"{number:02d}.wav", "x")
    table(place / "data", "wav.scp", *(f"u{n:02d} {place}/audio/{n:02d}.wav" for n in range(20)))
    (place / "audio" / "00.wav").unlink()
    refuse_gone(False, "never run", ["data"], [])
    shutil.rmtree(place / "audio")
    says = f"data/wav.scp: none of its files exists (first: {place}/audio/00.wav); was a disk"
    with pytest.raises(InputError, match=re.escape(says)):
        refuse_gone(False, "never run", ["data"], [])


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    table(tmp_path, "in", *(f"u{number} x" for number in range(100)))
    table(tmp_path, "out", *(f"u{number} y" for number in range(99)))
    table(
        tmp_path / "log", "a.1.log",
        "# a u99", "LOG (x[5.5]:main():x.cc:1) u99 is read",
        "WARNING (compute-mfcc-feats[5.5.1(x)]:main():x.cc:180) Utterance u99: too short (9 < 25)",
    )  # fmt: skip
    return tmp_path


def test_what_was_dropped_is_counted_with_the_logs_reason(lists: Path, run: Run) -> None:
    done = run(COUNTS, "--what", "MFCC", "--in", "in", "--out", "out", "--reason-log", "log/a.*.log")
    assert (done.returncode, done.stdout) == (0, "MFCC: 100 in, 99 out, 1 dropped (1.00 %)\n")
    assert (lists / "out.dropped").read_text() == "u99 Utterance u99: too short (9 < 25)\n"


def test_too_many_lost_is_an_error_that_names_the_first_and_the_log(lists: Path, run: Run) -> None:
    arguments = ["--what", "MFCC", "--in", "in", "--out", "out", "--reason-log", "log/a.*.log", "--max-loss", "0.005"]
    done = run(COUNTS, *arguments)
    assert done.returncode == 1
    for part in ("1 of 100", "at most 0.5 % is allowed", "first: u99", "too short", "log/a.1.log", "--max-loss"):
        assert part in done.stderr


def test_nothing_lost_removes_the_old_list(lists: Path, run: Run) -> None:
    (lists / "out.dropped").write_text("old\n")
    assert run(COUNTS, "--what", "x", "--in", "in", "--out", "in").returncode == 0
    assert run(COUNTS, "--what", "x", "--in", "out", "--out", "out").returncode == 0
    assert not (lists / "out.dropped").exists()


def test_foreign_ids_and_an_empty_input_are_errors(lists: Path, run: Run) -> None:
    assert "u99" in run(COUNTS, "--what", "x", "--in", "out", "--out", "in").stderr
    assert "missing or empty" in run(COUNTS, "--what", "x", "--in", "none", "--out", "in").stderr
    assert run(COUNTS, "--what", "x", "--in", "in", "--out", "none").returncode == 1


def test_a_link_to_a_folder_above_does_not_make_a_tree_of_everything_there(tmp_path: Path) -> None:
    root = tmp_path / "above" / "tree"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.wav").write_text("x")
    (root / "a" / "up").symlink_to(tmp_path)
    before = tree_fingerprint(root)
    (tmp_path / "above" / "other").write_text("not of the tree")
    assert tree_fingerprint(root) == before
    (root / "a" / "y.wav").write_text("y")
    assert tree_fingerprint(root) != before
