"""Files that are written whole: half-written files of other processes are removed when no one can be writing them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from common.whole_files import write_whole, writing

HOST = socket.gethostname()
NOBODY = 4194305  # above the largest process id of Linux


@pytest.mark.parametrize(
    ("alone", "kept"),
    [(False, [f".a.writing.{HOST}.{os.getppid()}", ".a.writing.node-1.12"]), (True, [])],
)
def test_a_writer_that_is_alone_removes_the_leftovers_of_all_hosts(
    tmp_path: Path, alone: bool, kept: list[str]
) -> None:
    for owner in (f"{HOST}.{NOBODY}", f"{HOST}.{os.getppid()}", "node-1.12"):
        (tmp_path / f".a.writing.{owner}").write_text("half")
    with writing(tmp_path / "a", alone=alone) as hidden:
        hidden.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "a"}
    assert (tmp_path / "a").read_text() == "whole"


def test_only_leftovers_of_the_same_file_are_removed(tmp_path: Path) -> None:
    others = [".a.writing.node1", ".a.writing.node1.x", ".ab.writing.node1.12", "a.writing.node1.12"]
    for name in others:
        (tmp_path / name).write_text("of another")
    write_whole(tmp_path / "a", b"whole", alone=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "a"])
