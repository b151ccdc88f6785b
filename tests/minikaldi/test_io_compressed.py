"""Compressed matrices: a slow version, properties, edges; test_golden.py compares the bytes with real Kaldi's."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, compressed, compressed_matrix

RNG = np.random.default_rng(5)


def dump(matrix: np.ndarray, method: int) -> bytes:
    stream = io.BytesIO()
    compressed_matrix(method).write(stream, matrix, True)
    return stream.getvalue()


def round_trip(matrix: np.ndarray, method: int) -> np.ndarray:
    return FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(dump(matrix, method))))


def tag(matrix: np.ndarray, method: int) -> bytes:
    return dump(matrix, method)[2:].split(b" ")[0]


@pytest.mark.parametrize(("method", "steps"), [(3, 65535), (5, 255)])
def test_linear_codes_are_within_half_a_step(method: int, steps: int) -> None:
    matrix = RNG.normal(0, 30, (20, 5)).astype(np.float32)
    step = np.ptp(matrix) / steps
    # Half a step, a little more since Kaldi rounds by + 0.499, and float32 of values near 100.
    assert np.abs(round_trip(matrix, method) - matrix).max() <= 0.502 * step + 1e-5


@pytest.mark.parametrize(("method", "low", "high", "step"), [(4, -32768, 32767, 1), (6, 0, 255, 1), (7, 0, 1, 1 / 255)])
def test_fixed_ranges_keep_their_grid_and_clip(method: int, low: float, high: float, step: float) -> None:
    grid = np.array([[low, low + step, high], [low - 99, high + 99, high - step]], dtype=np.float32)
    np.testing.assert_allclose(round_trip(grid, method), np.clip(grid, low, high), atol=1e-2 * step)


def test_speech_codes_are_within_a_step_of_their_column() -> None:
    matrix = (RNG.normal(size=(300, 4)) * [1, 10, 100, 0.1] + [0, 50, -20, 3]).astype(np.float32)
    error = np.abs(round_trip(matrix, 2) - matrix)
    quantiles = np.quantile(matrix, [0, 0.25, 0.75, 1], axis=0)
    steps = (np.diff(quantiles, axis=0) / np.array([[64], [128], [63]])).max(axis=0)
    # The quantiles themselves lie on a grid of 65536 levels over the whole matrix.
    assert (error.max(axis=0) <= steps + np.ptp(matrix) / 65535).all()


def test_automatic_method_spares_short_matrices() -> None:
    assert tag(np.eye(8, dtype=np.float32), 1) == b"CM2"
    assert tag(np.eye(9, dtype=np.float32), 1) == b"CM"


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("method", [1, 2, 3, 5])
def test_constant_and_short_matrices_survive(rows: int, method: int) -> None:
    constant = np.full((rows, 3), -7.25, dtype=np.float32)
    np.testing.assert_allclose(round_trip(constant, method), constant, atol=0.05)
    ramp = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    np.testing.assert_allclose(round_trip(ramp, method), ramp, atol=2 * rows / 60)


def test_empty_matrix_is_written_and_read() -> None:
    assert round_trip(np.zeros((0, 0), dtype=np.float32), 1).shape == (0, 0)


def decode_slowly(data: bytes) -> np.ndarray:
    """CM, value by value, from the format's description."""
    low, span, rows, cols = struct.unpack("<ffii", data[5:21])
    values = np.zeros((rows, cols))
    for col in range(cols):
        codes = struct.unpack("<4H", data[21 + 8 * col : 29 + 8 * col])
        q0, q25, q75, q100 = (low + span * code / 65535 for code in codes)
        for row in range(rows):
            code = data[21 + 8 * cols + col * rows + row]
            if code <= 64:
                values[row, col] = q0 + (q25 - q0) * code / 64
            elif code <= 192:
                values[row, col] = q25 + (q75 - q25) * (code - 64) / 128
            else:
                values[row, col] = q75 + (q100 - q75) * (code - 192) / 63
    return values


def test_decoding_agrees_with_a_slow_version() -> None:
    data = dump(RNG.normal(size=(50, 3)).astype(np.float32), 2)
    read = FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(data)))
    np.testing.assert_allclose(read, decode_slowly(data), atol=2e-6)  # float32 of values near 4


def encode_slowly(matrix: np.ndarray) -> bytes:
    """CM, value by value in C's types: float32, `+ 0.5` in float64, a cast that cuts, and of no number the least."""

    def cut(value: float) -> int:
        return int(value) if np.isfinite(value) else -(2**31)

    low, high = matrix.min(), matrix.max()
    span = high - low if high > low else np.float32(low + (1.0 + abs(float(low)))) - low
    rows, cols = matrix.shape
    header, codes = b"", b""
    for column in matrix.T:
        ordered = np.sort(column)
        places = [0, rows // 4, 3 * (rows // 4), rows - 1] if rows >= 5 else range(rows)
        marks = [cut(float(min(max((ordered[at] - low) / span, 0), 1) * np.float32(65535)) + 0.499) for at in places]
        marks += [0] * (4 - len(marks))
        marks[0] = min(marks[0], 65532)
        marks[1] = min(max(marks[1], marks[0] + 1), 65533)
        marks[2] = min(max(marks[2], marks[1] + 1), 65534)
        marks[3] = max(marks[3], marks[2] + 1)
        header += struct.pack("<4H", *marks)
        q = [low + span * np.float32(1.52590218966964e-05) * np.float32(mark) for mark in marks]
        for value in column:
            part, first, steps = (0, 0, 64) if value < q[1] else (1, 64, 128) if value < q[2] else (2, 192, 63)
            fraction = (value - q[part]) / (q[part + 1] - q[part])
            code = first + cut(float(fraction * np.float32(steps)) + 0.5)
            codes += bytes([min(max(code, first), first + steps)])
    return b"\0BCM " + struct.pack("<ffii", low, span, rows, cols) + header + codes


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 4),
    st.sampled_from([0, 1, 40, 1e4, -3e6]),
    st.sampled_from([0, 1e-3, 1, 100]),
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
)
def test_speech_codes_are_those_of_a_slow_version(
    rows: int, cols: int, offset: float, width: float, digits: int, seed: int
) -> None:
    """Also where the quantiles of a column are the same number in float32 (a large offset, a constant column)."""
    values = np.round(np.random.default_rng(seed).normal(0, width, (rows, cols)), digits) + offset
    values[:, 0] = values[0, 0]
    matrix = values.astype(np.float32)
    assert dump(matrix, 2) == encode_slowly(matrix)


def test_columns_longer_than_a_block_are_coded_as_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = RNG.normal(size=(700, 9)).astype(np.float32)
    whole, read = dump(matrix, 2), round_trip(matrix, 2)
    for block in (1, 1500):
        monkeypatch.setattr(compressed, "_BLOCK_VALUES", block)
        monkeypatch.setattr(compressed, "_LOOKED_UP_AT_ONCE", block)
        assert dump(matrix, 2) == whole
        assert np.array_equal(round_trip(matrix, 2), read)


def test_text_is_never_compressed() -> None:
    stream = io.BytesIO()
    compressed_matrix(1).write(stream, np.eye(2, dtype=np.float32), False)
    assert stream.getvalue() == b" [\n  1 0 \n  0 1 ]\n"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_is_refused_with_its_place(bad: float) -> None:
    matrix = np.zeros((3, 2), dtype=np.float32)
    matrix[2, 1] = bad
    with pytest.raises(KaldiError, match="row 2, column 1"):
        dump(matrix, 1)


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("method", [1, 2, 3, 5])
def test_values_that_are_too_far_apart_are_refused(rows: int, method: int) -> None:
    """The header would have an infinite span, which no reader accepts."""
    wide = np.tile(np.array([[3e38, -3e38]], np.float32), (rows, 1))
    with pytest.raises(KaldiError, match="too far apart for float32"):
        compressed_matrix(method).write(io.BytesIO(), wide, True)
    with pytest.raises(KaldiError, match="too far apart for float32"):
        compressed_matrix(method).write(io.BytesIO(), np.full((rows, 2), np.finfo(np.float32).max), True)


def test_unknown_method_and_cut_data_are_refused() -> None:
    with pytest.raises(KaldiError, match="choose 1 to 7"):
        dump(np.eye(2, dtype=np.float32), 8)
    data = dump(np.eye(20, dtype=np.float32), 2)
    with pytest.raises(KaldiError, match="truncated"):
        FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(data[:-1])))
