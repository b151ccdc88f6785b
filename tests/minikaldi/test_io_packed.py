"""Symmetric matrices in files: layouts by hand, round trips, refusals."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.triangles import packed_of, unpacked
from minikaldi.io.packed import packed_rows, read_packed, write_packed


def dump(packed: np.ndarray, binary: bool) -> bytes:
    stream = io.BytesIO()
    write_packed(stream, packed, binary)
    return stream.getvalue()


def load(data: bytes, binary: bool, dtype: type = np.float32) -> np.ndarray:
    return read_packed(io.BufferedReader(io.BytesIO(data)), binary, dtype)  # type: ignore[arg-type]


def test_a_triangle_by_hand() -> None:
    packed = np.array([1, 2, 3.5], np.float32)
    assert dump(packed, False) == b"[\n1 \n2 3.5 ]\n"
    assert dump(packed, True) == b"FP " + struct.pack("<bi3f", 4, 2, 1, 2, 3.5)
    assert unpacked(packed).tolist() == [[1, 2], [2, 3.5]]
    assert packed_of(np.array([[1, 2], [2, 3.5]])).tolist() == [1, 2, 3.5]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_triangles_survive_binary_and_text(rows: int, dtype: type) -> None:
    packed = np.random.default_rng(rows).standard_normal(rows * (rows + 1) // 2).astype(dtype)
    assert np.array_equal(load(dump(packed, True), True, dtype), packed)
    np.testing.assert_allclose(load(dump(packed, False), False, dtype), packed, rtol=1e-6)  # seven digits
    assert packed_rows(packed.size) == rows


@pytest.mark.parametrize(
    ("data", "binary", "found"),
    [
        (b"FM " + struct.pack("<bibi", 4, 1, 4, 1), True, "expected a symmetric matrix"),
        (b"FP " + struct.pack("<bi2f", 4, 2, 1, 2), True, "truncated"),
        (b"[ 1 2 ]\n", False, "no lower triangle"),
        (b"[ 1 2 3", False, "truncated"),
        (b"1 ]\n", False, r"expected text symmetric matrix: '\['"),
    ],
)
def test_what_is_no_triangle_is_refused(data: bytes, binary: bool, found: str) -> None:
    with pytest.raises(KaldiError, match=found):
        load(data, binary)


def test_an_array_that_is_no_triangle_is_not_written() -> None:
    with pytest.raises(KaldiError, match="lower triangle"):
        dump(np.ones(2, np.float32), True)
