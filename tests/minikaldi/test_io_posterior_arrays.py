"""Posteriors as arrays are what the tuples are, in binary and text; damaged ones are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import POSTERIOR, POSTERIOR_ARRAYS, sequential, writer
from tests.minikaldi.helpers.slow_extractor import from_frames

FRAMES = [[(2, 0.75), (6, 0.25)], [], [(6, 1.0)]]


def written(frames: list[list[tuple[int, float]]], binary: bool) -> bytes:
    """The bytes of one object."""
    stream = io.BytesIO()
    POSTERIOR.write(stream, frames, binary)
    return stream.getvalue()


def reader(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("frames", [FRAMES, [], [[]], [[(0, 1.0)]]])
def test_both_holders_read_the_same_and_leave_what_comes_after(
    frames: list[list[tuple[int, float]]], binary: bool
) -> None:
    stream = reader(written(frames, binary) + b"rest")
    found = POSTERIOR_ARRAYS.read(stream)
    assert stream.read() == b"rest"
    assert found.counts.tolist() == [len(frame) for frame in frames]
    assert found.num_frames == len(frames)
    assert list(zip(found.indices.tolist(), found.shares.tolist(), strict=True)) == [p for f in frames for p in f]
    again = io.BytesIO()
    POSTERIOR_ARRAYS.write(again, found, binary)
    assert again.getvalue() == written(frames, binary)


def test_a_table_of_many_frames_is_read_as_it_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tables = {
        f"utt{index}": [
            [(int(gauss), float(np.float32(rng.random()))) for gauss in rng.integers(0, 9, size=rng.integers(0, 5))]
            for _ in range(300)
        ]
        for index in range(3)
    }
    with writer(f"ark:{tmp_path}/post.ark", POSTERIOR) as out:
        for key, frames in tables.items():
            out.write(key, frames)
    with sequential(f"ark:{tmp_path}/post.ark", POSTERIOR_ARRAYS) as entries:
        for key, found in entries:
            expected = from_frames(tables[key])
            np.testing.assert_array_equal(found.counts, expected.counts)
            np.testing.assert_array_equal(found.indices, expected.indices)
            np.testing.assert_array_equal(found.shares, expected.shares)


@pytest.mark.parametrize("length", [1, 3, 7, 9, 12, 20, 30, 33, 37])
def test_a_truncated_posterior_is_refused(length: int) -> None:
    data = written(FRAMES, True)
    assert length < len(data)
    with pytest.raises(KaldiError):
        POSTERIOR_ARRAYS.read(reader(data[:length]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0B\4\xff\xff\xff\xff", "claims -1 frames"),
        (b"\0B\4\1\0\0\0\4\xff\xff\xff\xff", "claims -1 elements"),
        (b"\0B\4\1\0\0\0\4\xff\xff\xff\x7f", "truncated"),
        (b"\0B\4\1\0\0\0\x08\1\0\0\0" + bytes(10), "numbers of 4 bytes"),
        (b"\0B\4\1\0\0\0\4\1\0\0\0\x08\1\0\0\0\4\0\0\0\0", "numbers of 4 bytes"),
        (b"[ 1 ]\n", "expected an index and a number"),
    ],
)
def test_a_damaged_posterior_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(KaldiError, match=message):
        POSTERIOR_ARRAYS.read(reader(data))
