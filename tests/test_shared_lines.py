"""Several processes append to one file: every line is whole, none is lost, a killed writer damages its own alone."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from common.shared_lines import append_new_lines

WRITER = """
import sys
from pathlib import Path
from common.shared_lines import append_new_lines
path, name, length = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(20):
    append_new_lines(path, lambda content: [f"{name} {number} " + name * length])
"""
CLAIM = """
import sys, time
from pathlib import Path
from common.shared_lines import append_new_lines
def once(content):
    time.sleep(0.05)  # long enough for another writer to read the same content, if it could
    return [] if content else [sys.argv[2]]
append_new_lines(Path(sys.argv[1]), once)
"""


def start(root: Path, script: str, *words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, words)], cwd=root)


def test_lines_of_processes_side_by_side_are_whole(root: Path, tmp_path: Path) -> None:
    """Of 30 kB each: more than a stream's buffer, so that a writer with a buffer would mix them."""
    writers = [start(root, WRITER, tmp_path / "a", name, 30_000) for name in "abcd"]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    lines = (tmp_path / "a").read_text().splitlines()
    expected = {f"{name} {number} {name * 30_000}" for name in "abcd" for number in range(20)}
    assert len(lines) == 80 and set(lines) == expected
    for name in "abcd":  # each writer's own order is kept
        assert [line.split()[1] for line in lines if line[0] == name] == [str(number) for number in range(20)]


def test_what_a_writer_has_read_is_still_so_when_it_appends(root: Path, tmp_path: Path) -> None:
    writers = [start(root, CLAIM, tmp_path / "a", name) for name in "abcd"]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    assert len((tmp_path / "a").read_text().splitlines()) == 1


def test_a_line_without_its_end_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('whole\n{"half')
    assert append_new_lines(path, lambda content: ["next", "last"] if content.endswith(b"half") else []) == 2
    assert path.read_text() == 'whole\n{"half\nnext\nlast\n'


def test_nothing_to_append_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("half")
    assert append_new_lines(path, lambda content: []) == 0
    assert path.read_text() == "half"


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit on the size of files lets the first part of a write through, as a disk that fills up does."""
    path = tmp_path / "a"
    path.write_text("whole\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match="a: cannot be written: File too large"):
            append_new_lines(path, lambda content: ["x" * 2000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "whole\n"


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none/a: cannot be written: No such file or directory"):
        append_new_lines(tmp_path / "none" / "a", lambda content: ["x"])
