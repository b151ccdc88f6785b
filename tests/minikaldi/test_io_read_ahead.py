"""The option bg: the same objects, errors and messages, sooner where reading waits; no thread is left."""

from __future__ import annotations

import logging
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, INT32, sequential, writer
from minikaldi.io.read_ahead import ReadAhead
from minikaldi.running import run_command


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def test_the_next_item_is_made_while_one_is_worked_on() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(5):
            made.append(i)
            yield i

    ahead = ReadAhead(items())
    assert next(ahead) == 0
    deadline = time.monotonic() + 10
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert made == [0, 1, 2]  # one is ready, one waits to be put; no more are made
    assert list(ahead) == [1, 2, 3, 4] and list(ahead) == []
    ahead.close()


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KaldiError("broken")

    ahead = ReadAhead(items())
    assert next(ahead) == 1
    with pytest.raises(KaldiError, match="broken"):
        next(ahead)
    assert list(ahead) == []
    ahead.close()


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_closing_early_ends_the_thread(taken: int) -> None:
    ahead = ReadAhead(iter(range(10**9)))
    assert [next(ahead) for _ in range(taken)] == list(range(taken))
    ahead.close()
    assert list(ahead) == []


@pytest.mark.parametrize("source", ["ark,bg:{0}/x.ark", "scp,bg:{0}/x.scp", "bg,ark:cat {0}/x.ark; true |"])
def test_table_is_the_same_and_bounded(source: str, tmp_path: Path) -> None:
    with writer(f"ark,scp:{tmp_path}/x.ark,{tmp_path}/x.scp", FLOAT_MATRIX) as out:
        for i in range(50):
            out.write(f"k{i}", np.full((1000, 50), i))
    tracemalloc.start()
    with sequential(source.format(tmp_path), FLOAT_MATRIX) as table:
        assert [(key, int(value[0, 0])) for key, value in table] == [(f"k{i}", i) for i in range(50)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 200_000  # at most: in use, the one before it, ready, waiting to be ready, being read
    with sequential(source.format(tmp_path), FLOAT_MATRIX) as table:
        assert next(iter(table))[0] == "k0"


def test_damage_and_missing_files_are_reported_as_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x").write_text("a 1\nb two\n")
    with sequential(f"ark,bg:{tmp_path}/x", INT32) as table, pytest.raises(KaldiError, match="key b"):
        list(table)
    (tmp_path / "x.scp").write_text(f"gone {tmp_path}/gone\na {tmp_path}/x:2\n")
    with caplog.at_level(logging.WARNING, "minikaldi"), sequential(f"scp,bg,p:{tmp_path}/x.scp", INT32) as table:
        assert list(table) == [("a", 1)]
    assert "gone" in caplog.text
    with (
        pytest.raises(KaldiError, match="exit 3' failed with exit code 3"),
        sequential("ark,bg:echo a 1; exit 3 |", INT32) as table,
    ):
        assert list(table) == [("a", 1)]


def test_messages_carry_the_name_of_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.scp").write_text(f"gone {tmp_path}/gone\n")
    run_command(["copy-vector", f"scp,p,bg:{tmp_path}/x.scp", f"ark:{tmp_path}/y"])
    assert "WARNING (copy-vector" in capfd.readouterr().err
