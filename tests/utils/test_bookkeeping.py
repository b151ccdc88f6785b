"""Stage markers and counts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recipe.fingerprints import difference, path_fingerprint, tree_fingerprint

from .conftest import Run, table

MARKER, COUNTS = "utils/stage_marker.py", "utils/check_counts.py"
FACTS = ["--option", "lda_dim=200", "--option", "seed=1", "--input", "in", "--output", "out"]


@pytest.fixture
def stage(tmp_path: Path, run: Run) -> Path:
    """A stage that is done: in/a.scp and in/big went in, out came out."""
    table(tmp_path / "in", "a.scp", "x y")
    (tmp_path / "in" / "big").write_bytes(bytes(1 << 21))
    table(tmp_path, "out", "x z")
    done = run(MARKER, "write", "m/4.json", *FACTS, "--seconds", "2.5", "--count", "in=3", "out=2", "dropped=1")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_stage_is_up_to_date_until_something_changes(stage: Path, run: Run) -> None:
    done = run(MARKER, "check", "m/4.json", *FACTS)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "in" / "a.scp").write_text("x w\n"), "input in/a.scp changed"),
        (lambda folder: (folder / "in" / "new").write_text("1"), "input in/new changed"),
        (lambda folder: (folder / "in" / "big").touch(), "input in/big changed"),
        (lambda folder: (folder / "out").unlink(), "output out is not there"),
        (lambda folder: (folder / "out").write_text(""), "output out changed"),
        (lambda folder: (folder / "m" / "4.json").unlink(), "never run"),
        (lambda folder: (folder / "m" / "4.json").write_text("{"), "its marker is damaged"),
    ],
)
def test_a_change_is_reported(stage: Path, run: Run, change, reason: str) -> None:
    change(stage)
    done = run(MARKER, "check", "m/4.json", *FACTS)
    assert (done.returncode, done.stdout) == (3, f"{reason}\n")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (["--option", "lda_dim=50", "seed=1", "--input", "in", "--output", "out"], "option lda_dim was 200, is 50"),
        ([*FACTS, "--option", "new=1"], "option new is new, 1"),
        (["--option", "lda_dim=200", "--input", "in", "--output", "out"], "option seed was 1, is no longer given"),
        ([*FACTS, "--input", "out"], "input out is new"),
        ([*FACTS[:4], "--output", "out"], "input in is no longer used"),
    ],
)
def test_other_facts_are_reported(stage: Path, run: Run, facts: list[str], reason: str) -> None:
    done = run(MARKER, "check", "m/4.json", *facts)
    assert (done.returncode, done.stdout) == (3, f"{reason}\n")


def test_logs_hidden_files_and_a_small_files_time_do_not_count(stage: Path, run: Run) -> None:
    (stage / "in" / "x.log").write_text("1")
    (stage / "in" / ".backup").mkdir()
    (stage / "in" / ".x").write_text("1")
    (stage / "in" / "a.scp").touch()
    assert run(MARKER, "check", "m/4.json", *FACTS).returncode == 0


def test_a_stage_without_its_output_is_not_complete(stage: Path, run: Run) -> None:
    before = (stage / "m" / "4.json").read_text()
    done = run(MARKER, "write", "m/4.json", "--output", "nothing")
    assert (done.returncode, "nothing is not there" in done.stderr) == (1, True)
    assert (stage / "m" / "4.json").read_text() == before


def test_the_table_shows_time_and_counts(stage: Path, run: Run) -> None:
    assert json.loads((stage / "m" / "4.json").read_text())["seconds"] == 2.5
    shown = run(MARKER, "show", "m").stdout.splitlines()
    assert shown[1].split()[0] == "4"
    assert shown[1].endswith("2.5  in=3 out=2 dropped=1")


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


@pytest.mark.parametrize("place", [0, 1234567, (1 << 21) - 1])
def test_a_changed_byte_of_a_large_file_is_seen_although_its_time_was_put_back(
    stage: Path, run: Run, place: int
) -> None:
    change_byte(stage / "in" / "big", place)
    done = run(MARKER, "check", "m/4.json", *FACTS)
    assert (done.returncode, done.stdout) == (3, "input in/big changed\n")


@pytest.fixture(params=[3, 20000], ids=["small", "large"])
def archived(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> Path:
    """A stage whose input is a table, small or over 1 MB, of entries in two archives; they lie in no folder of its."""
    for number in (1, 2):
        table(tmp_path / "ark", f"raw.{number}.ark", "x" * 5000)
    entries = [f"utt{'-' * 40}{n:06d} ark/raw.{n % 2 + 1}.ark:{n}[0:{n}]" for n in range(request.param)]
    table(tmp_path / "in", "feats.scp", *entries)
    assert run(MARKER, "write", "m/1.json", "--input", "in", "in/feats.scp").returncode == 0
    return tmp_path


def test_archives_of_a_table_are_looked_at_whatever_its_size(archived: Path, run: Run) -> None:
    check = (MARKER, "check", "m/1.json", "--input", "in", "in/feats.scp")
    assert run(*check).returncode == 0
    change_byte(archived / "ark" / "raw.2.ark", 2000)
    assert run(*check).stdout == "input in/feats.scp names ark/raw.2.ark, which changed\n"
    (archived / "ark" / "raw.1.ark").unlink()
    assert run(*check).stdout == "input in/feats.scp names ark/raw.1.ark, which is not there\n"


def test_a_copy_with_its_times_and_another_mode_are_no_change(archived: Path, run: Run) -> None:
    for name in ("in", "ark"):
        subprocess.run(["cp", "-a", name, f"{name}.copy"], cwd=archived, check=True)
        shutil.rmtree(archived / name)
        (archived / f"{name}.copy").rename(archived / name)  # other inodes and change times
    (archived / "ark" / "raw.1.ark").chmod(0o600)
    done = run(MARKER, "check", "m/1.json", "--input", "in", "in/feats.scp")
    assert (done.returncode, done.stdout) == (0, "")


def test_of_a_huge_file_blocks_are_read_and_a_copy_of_another_one_is_seen(tmp_path: Path, run: Run) -> None:
    huge, size = tmp_path / "huge.ark", 1 << 36  # with holes; to read all of it would take a minute
    with huge.open("wb") as stream:
        stream.truncate(size)
    assert run(MARKER, "write", "m/1.json", "--input", "huge.ark").returncode == 0
    huge.chmod(0o600)
    assert run(MARKER, "check", "m/1.json", "--input", "huge.ark").returncode == 0
    for place in (0, size // 15 * 7, size - 1):  # the first block, one within, the last
        change_byte(huge, place)
        assert run(MARKER, "check", "m/1.json", "--input", "huge.ark").stdout == "input huge.ark changed\n"
        change_byte(huge, place)
        assert run(MARKER, "check", "m/1.json", "--input", "huge.ark").returncode == 0


def test_markers_of_an_earlier_version_still_hold(archived: Path, run: Run) -> None:
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
    check = (MARKER, "check", "m/1.json", "--input", "in", "in/feats.scp")
    assert run(*check).returncode == 0
    feats.write_text(feats.read_text() + "new ark/raw.1.ark:5\n")
    assert run(*check).stdout == "input in/feats.scp changed\n"


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


def write_moved(tmp_path: Path, run: Run) -> None:
    """A checkout with data of stage 1 that was moved from old/ to new/; audio/ stayed where it was."""
    old = tmp_path / "old"
    table(old / "data" / "mfcc" / "ark", "raw.1.ark", "x" * 500)
    table(tmp_path / "audio", "a.wav", "y")
    table(old / "data" / "train", "wav.scp", f"a {tmp_path}/audio/a.wav", f"b {tmp_path}/audio/a.wav")
    table(old / "data" / "train_sp", "wav.scp", f"a sox {old}/data/train/wav.scp -t wav - speed '0.9' | cat |")
    ark = old / "data" / "mfcc" / "ark" / "raw.1.ark"
    table(old / "data" / "mfcc" / "train", "feats.scp", f"a {ark}:2", f"b {ark}:9")
    facts = ("--input", "data/train", "--output", "data/mfcc/train")
    assert run(MARKER, "write", "m/1.json", *facts, where=old).returncode == 0
    old.rename(tmp_path / "new")


def test_a_moved_checkout_is_named_before_anything_runs(tmp_path: Path, run: Run) -> None:
    write_moved(tmp_path, run)
    old, new = tmp_path / "old", tmp_path / "new"
    facts = ("--input", "data/train", "--output", "data/mfcc/train")
    ark = "data/mfcc/ark/raw.1.ark"
    moved = f"names {old}/{ark}, which is not there, but {new}/{ark} is: {old} was moved"
    done = run(MARKER, "check", "m/1.json", *facts, "--gone", "all", where=new)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stage_marker.py: data/mfcc/train/feats.scp: " + moved)
    assert f"(ln -s {new} {old}), or make all of it again (--stage 0 --force)" in done.stderr
    assert run(MARKER, "check", "m/1.json", *facts, "--gone", "inputs", where=new).returncode == 3  # made again
    later = ("--input", "data/mfcc/train", "--gone", "inputs")  # the inputs of a stage that never ran
    assert moved in run(MARKER, "check", "m/2.json", *later, where=new).stderr
    done = run(MARKER, "check", "m/2.json", "--input", "data/train_sp/wav.scp", "--gone", "all", where=new)
    assert (done.returncode, f"names {old}/data/train/wav.scp, which is not there" in done.stderr) == (1, True)
    assert run(MARKER, "check", "m/2.json", *later[:2], where=new).returncode == 3
    old.symlink_to(new)
    assert run(MARKER, "check", "m/1.json", *facts, "--gone", "all", where=new).returncode == 0


def test_audio_that_is_gone_altogether_is_named_and_a_lost_file_is_not(tmp_path: Path, run: Run) -> None:
    for number in range(20):
        table(tmp_path / "audio", f"{number:02d}.wav", "x")
    table(tmp_path / "data", "wav.scp", *(f"u{n:02d} {tmp_path}/audio/{n:02d}.wav" for n in range(20)))
    check = (MARKER, "check", "m/1.json", "--input", "data", "--gone", "all")
    (tmp_path / "audio" / "00.wav").unlink()
    assert run(*check).stdout == "never run\n"
    shutil.rmtree(tmp_path / "audio")
    done = run(*check)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"data/wav.scp: none of its files exists (first: {tmp_path}/audio/00.wav); was a disk" in done.stderr


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
    for part in ("1 of 100", "first: u99", "too short", "log/a.1.log", "--max-loss"):
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
