"""Stage markers and counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minikaldi.scripts.stage_marker import tree_fingerprint

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
def test_a_change_is_told(stage: Path, run: Run, change, reason: str) -> None:
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
def test_other_facts_are_told(stage: Path, run: Run, facts: list[str], reason: str) -> None:
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
