"""Tables written: when the bytes are there, and what a script then says."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_VECTOR, INT32, read_object, sequential, writer


def test_flush_lets_others_read_each_object_at_once(tmp_path: Path) -> None:
    archive, script = tmp_path / "x.ark", tmp_path / "x.scp"
    with writer(f"ark,scp,t,f:{archive},{script}", INT32) as out:
        for i in range(3):
            out.write(f"k{i}", i)
            assert archive.read_text().splitlines()[-1] == f"k{i} {i} "
            assert script.read_text().splitlines()[-1] == f"k{i} {archive}:{3 + 6 * i}"
    with writer(f"ark,t,f,nf:{archive}", INT32) as out:
        out.write("a", 1)
        assert archive.read_text() == ""


def test_flush_sends_each_object_down_a_pipe_at_once(tmp_path: Path) -> None:
    """The command has seen the first object while the table is open."""
    with writer(f"ark,t,f:| head -n 1 > {tmp_path}/x; touch {tmp_path}/seen; cat > {tmp_path}/rest", INT32) as out:
        out.write("a", 1)
        deadline = time.monotonic() + 20
        while not (tmp_path / "seen").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / "x").read_text() == "a 1 \n"


def test_script_of_an_archive_names_it_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with writer("ark,scp:sub.ark,x.scp", FLOAT_VECTOR) as out:
        out.write("a", np.ones(2))
        out.write("b", np.zeros(3))
    assert Path("x.scp").read_text() == "a sub.ark:2\nb sub.ark:22\n"
    assert list(read_object("sub.ark:22", FLOAT_VECTOR)) == [0, 0, 0]


def test_script_may_go_where_the_archive_may_not(tmp_path: Path) -> None:
    with writer(f"ark,scp:{tmp_path}/x.ark,| sort -r > {tmp_path}/x.scp", INT32) as out:
        out.write("a", 1)
        out.write("b", 2)
    with sequential(f"scp:{tmp_path}/x.scp", INT32) as table:
        assert list(table) == [("b", 2), ("a", 1)]
    with pytest.raises(KaldiError, match="not a file"):
        writer(f"ark,scp:| cat > {tmp_path}/x.ark,{tmp_path}/x.scp", INT32)
