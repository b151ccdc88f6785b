"""Tables asked by key: what the options s, cs, o and p promise, and what is kept in memory for it."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, INT32, random_access, sequential, writer

NUM, VALUES = 60, 50_000
OBJECT_BYTES = 4 * VALUES
KEYS = [f"k{i:02d}" for i in range(NUM)]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 matrices of 200 kB with sorted keys, as x.ark and x.scp."""
    folder = tmp_path_factory.mktemp("archive")
    with writer(f"ark,scp:{folder}/x.ark,{folder}/x.scp", FLOAT_MATRIX) as out:
        for i, key in enumerate(KEYS):
            out.write(key, np.full((VALUES // 50, 50), i))
    return folder


def peak(work: Callable[[], None]) -> int:
    """Bytes that Python and numpy held at most at one time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("asked", [KEYS, KEYS[::7], KEYS[-1:]])
def test_sorted_and_called_sorted_holds_one_object_however_far_the_key_is(archive: Path, asked: list[str]) -> None:
    def work() -> None:
        with random_access(f"ark,s,cs:{archive}/x.ark", FLOAT_MATRIX) as table:
            for key in asked:
                assert table[key][0, 0] == int(key[1:])

    # The object asked for, the one before it that the caller still has, and one being read.
    assert peak(work) < 4 * OBJECT_BYTES


def test_once_drops_each_object_when_it_was_given_out(archive: Path) -> None:
    def work() -> None:
        with random_access(f"ark,o:{archive}/x.ark", FLOAT_MATRIX) as table:
            for key in KEYS:
                assert key in table and key in table  # asking whether it is there does not take it
                assert table[key][0, 0] == int(key[1:])

    assert peak(work) < 4 * OBJECT_BYTES
    with random_access(f"ark,o:{archive}/x.ark", FLOAT_MATRIX) as table:
        assert table["k05"][0, 0] == 5 and table["k03"][0, 0] == 3
        assert "k05" not in table
        with pytest.raises(KaldiError, match="k03 is not there"):
            table["k03"]


def test_without_promises_an_archive_keeps_what_it_passed(archive: Path) -> None:
    def work() -> None:
        with random_access(f"ark:{archive}/x.ark", FLOAT_MATRIX) as table:
            assert table[KEYS[-1]][0, 0] == NUM - 1
            assert all(table[key][0, 0] == int(key[1:]) for key in KEYS[::-1])

    assert peak(work) > NUM * OBJECT_BYTES


@pytest.mark.parametrize("options", ["", ",o", ",s", ",cs", ",s,cs"])
def test_script_holds_one_object_in_any_order(archive: Path, options: str) -> None:
    def work() -> None:
        with random_access(f"scp{options}:{archive}/x.scp", FLOAT_MATRIX) as table:
            for key in KEYS[::-1]:
                assert key in table and table[key][0, 0] == int(key[1:])

    assert peak(work) < 4 * OBJECT_BYTES


def test_sequential_holds_one_object(archive: Path) -> None:
    def work() -> None:
        for name in (f"ark:{archive}/x.ark", f"scp:{archive}/x.scp", f"ark:cat {archive}/x.ark; true |"):
            with sequential(name, FLOAT_MATRIX) as table:
                assert sum(1 for _ in table) == NUM

    assert peak(work) < 4 * OBJECT_BYTES


@pytest.mark.parametrize("options", ["s", "s,cs"])
def test_archive_that_is_not_sorted_is_reported_with_both_keys(tmp_path: Path, options: str) -> None:
    (tmp_path / "x").write_text("a 1\nc 3\nb 2\nd 4\n")
    with (
        random_access(f"ark,{options}:{tmp_path}/x", INT32) as table,
        pytest.raises(KaldiError, match=r"the key b comes after c, but the option s says it is sorted; sort it"),
    ):
        assert table["a"] == 1 and table["d"] == 4


@pytest.mark.parametrize("options", ["s", "s,cs", "o,s"])
def test_key_twice_in_a_sorted_archive_is_refused(tmp_path: Path, options: str) -> None:
    (tmp_path / "x").write_text("a 1\nb 2\nb 3\nc 4\n")
    with (
        random_access(f"ark,{options}:{tmp_path}/x", INT32) as table,
        pytest.raises(KaldiError, match="b is there twice"),
    ):
        assert table["b"] == 2 and table["c"] == 4


def test_keys_are_compared_as_bytes(tmp_path: Path) -> None:
    """As in C and `LC_ALL=C sort`: capitals before small letters, letters before those with marks."""
    (tmp_path / "x").write_text("B 1\na 2\nz 3\né 4\n")
    with random_access(f"ark,s,cs:{tmp_path}/x", INT32) as table:
        assert [table[key] for key in ("B", "a", "z", "é")] == [1, 2, 3, 4]


def test_called_sorted_alone_promises_nothing_to_an_archive(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("b 1\na 2\n")
    with random_access(f"ark,cs:{tmp_path}/x", INT32) as table:
        assert table["a"] == 2 and table["b"] == 1


def test_permissive_archive_gives_what_stands_before_the_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x").write_text("a 1\nb two\nc 3\n")
    with caplog.at_level(logging.WARNING, "minikaldi"), random_access(f"ark,p:{tmp_path}/x", INT32) as table:
        assert "c" not in table and "b" not in table and table["a"] == 1
    assert "key b" in caplog.text and "skipped" in caplog.text


@pytest.mark.parametrize("form", ["ark", "scp"])
@pytest.mark.parametrize("kind", [sequential, random_access])
def test_table_from_a_pipe_that_fails_after_good_data_is_an_error_and_with_p_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str, kind: Callable
) -> None:
    (tmp_path / "x.ark").write_text("a 1\nb 2\n")
    (tmp_path / "x.scp").write_text(f"a {tmp_path}/x.ark:2\nb {tmp_path}/x.ark:6\n")
    command = f"cat {tmp_path}/x.{form}; exit 7 |"

    def read(options: str) -> list[int]:
        with kind(f"{form}{options}:{command}", INT32) as table:
            return (
                [value for _, value in table]
                if kind is sequential
                else [table[key] for key in "ab" if "c" not in table]
            )

    with pytest.raises(KaldiError, match=r"exit 7' failed with exit code 7"):
        read("")
    if (form, kind) != ("scp", random_access):  # which is read when it is opened: a part of a script is no script
        with caplog.at_level(logging.WARNING, "minikaldi"):
            assert read(",p") == [1, 2]
        assert "failed with exit code 7" in caplog.text
