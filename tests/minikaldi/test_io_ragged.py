"""Selected Gaussians and posteriors as arrays: layouts by hand, any buffer, the same as the lists, refusals."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import GSELECT, POSTERIOR, POSTERIOR_ARRAYS, FrameIndices, FramePosteriors, Holder

INDEX = st.integers(-(2**31), 2**31 - 1)
LISTS = st.lists(st.lists(INDEX, max_size=4), max_size=5)
POSTS = st.lists(st.lists(st.tuples(INDEX, st.floats(width=32, allow_nan=False)), max_size=3), max_size=4)


def selection(frames: list[list[int]]) -> FrameIndices:
    counts = np.array([len(frame) for frame in frames], np.int32)
    return FrameIndices(counts, np.array([index for frame in frames for index in frame], np.int32))


def dump(holder: Holder[Any], value: object, binary: bool) -> bytes:
    stream = io.BytesIO()
    holder.write(stream, value, binary)
    return stream.getvalue()


def load(holder: Holder[Any], data: bytes, buffer: int = 8192) -> tuple[Any, bytes]:
    """The object, and what is left in the stream after it."""
    stream = io.BufferedReader(io.BytesIO(data), buffer)  # type: ignore[arg-type]
    return holder.read(stream), stream.read()


def test_a_selection_by_hand() -> None:
    value = selection([[2, 4], [], [6]])
    assert dump(GSELECT, value, False) == b"2 4 ; ; 6 ; \n"
    numbers = [3, 2, 2, 4, 0, 1, 6]
    assert dump(GSELECT, value, True) == b"\0B" + b"".join(struct.pack("<bi", 4, number) for number in numbers)


@settings(max_examples=60, deadline=None)
@given(LISTS, st.integers(1, 40), st.booleans())
def test_a_selection_survives_whatever_the_streams_buffer_holds(
    frames: list[list[int]], buffer: int, binary: bool
) -> None:
    found, rest = load(GSELECT, dump(GSELECT, selection(frames), binary) + b"next", buffer)
    assert found.counts.tolist() == [len(frame) for frame in frames]
    assert found.indices.tolist() == [index for frame in frames for index in frame]
    assert rest == b"next"


@settings(max_examples=60, deadline=None)
@given(POSTS, st.integers(1, 40), st.booleans())
def test_posteriors_as_arrays_are_those_of_the_lists(
    frames: list[list[tuple[int, float]]], buffer: int, binary: bool
) -> None:
    data = dump(POSTERIOR, frames, binary)
    found, rest = load(POSTERIOR_ARRAYS, data + b"next", buffer)
    assert isinstance(found, FramePosteriors) and rest == b"next"
    assert found.counts.tolist() == [len(frame) for frame in frames]
    listed = load(POSTERIOR, data)[0]
    pairs = [pair for frame in listed for pair in frame]
    assert list(zip(found.indices.tolist(), found.shares.tolist(), strict=True)) == pairs
    assert dump(POSTERIOR_ARRAYS, found, binary) == data


@pytest.mark.parametrize("cut", [3, 6, 7, 12, 16, 21])
def test_a_truncated_selection_is_refused(cut: int) -> None:
    data = dump(GSELECT, selection([[2, 4], [6, 1]]), True)
    with pytest.raises(KaldiError, match="truncated"):
        load(GSELECT, data[:cut])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\0B" + struct.pack("<bi", 4, -1), "claims -1 frames"),
        (b"\0B" + struct.pack("<bibi", 4, 1, 4, -2), "claims -2 elements"),
        (b"\0B" + struct.pack("<bibi", 4, 1, 8, 1) + bytes(5), "4 bytes"),
        (b"2 4 ; 6\n", "';' at the end"),
        (b"2 x ; \n", "expected integers"),
        (b"2 4 ;", "truncated"),
    ],
)
def test_what_is_no_selection_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(KaldiError, match=found):
        load(GSELECT, data)
