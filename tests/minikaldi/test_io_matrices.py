"""Vectors and matrices on streams: layouts, interchange with another library, refusals."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import kaldi_io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import (
    DOUBLE_MATRIX,
    DOUBLE_VECTOR,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32_VECTOR,
    Holder,
    sequential,
    writer,
)

RNG = np.random.default_rng(3)


def dump(holder: Holder, value: object, binary: bool) -> bytes:
    stream = io.BytesIO()
    holder.write(stream, value, binary)
    return stream.getvalue()


def load(holder: Holder, data: bytes) -> object:
    return holder.read(io.BufferedReader(io.BytesIO(data)))


def test_text_layouts_are_kaldis() -> None:
    assert dump(FLOAT_VECTOR, np.array([1.0, -0.25]), False) == b" [ 1 -0.25 ]\n"
    assert dump(FLOAT_MATRIX, np.array([[1.0, 2.0], [1 / 3, 1e-7]]), False) == b" [\n  1 2 \n  0.3333333 1e-07 ]\n"
    assert dump(FLOAT_MATRIX, np.zeros((0, 0)), False) == b" [ ]\n"
    assert dump(FLOAT_VECTOR, np.zeros(0), False) == b" [ ]\n"


def test_binary_matrix_by_hand() -> None:
    expected = b"\0BFM \x04" + struct.pack("<i", 1) + b"\x04" + struct.pack("<i", 2) + struct.pack("<ff", 1.5, -2.0)
    assert dump(FLOAT_MATRIX, np.array([[1.5, -2.0]]), True) == expected
    assert np.array_equal(load(FLOAT_MATRIX, expected), [[1.5, -2.0]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(1, 5), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_was_written_is_read(rows: int, cols: int, binary: bool, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(0, 100, (rows, cols)).astype(np.float32)
    read = load(FLOAT_MATRIX, dump(FLOAT_MATRIX, matrix, binary))
    if binary or rows == 0:
        assert read.size == matrix.size and np.array_equal(read.reshape(matrix.shape), matrix)
    else:
        np.testing.assert_allclose(read, matrix, rtol=1e-6)  # seven digits


def test_float_and_double_are_read_as_either() -> None:
    matrix = RNG.normal(size=(3, 2))
    assert load(FLOAT_MATRIX, dump(DOUBLE_MATRIX, matrix, True)).dtype == np.float32
    assert np.array_equal(load(DOUBLE_MATRIX, dump(DOUBLE_MATRIX, matrix, True)), matrix)
    assert load(DOUBLE_VECTOR, dump(FLOAT_VECTOR, matrix[0], True)).dtype == np.float64


def test_text_matrix_may_have_its_rows_anywhere() -> None:
    expected = [[1, 2], [3, 4]]
    for text in (b"[ 1 2\n 3 4 ]\n", b" [\n1 2\n3 4\n]", b"[1 2;3 4]", b"  [\r\n 1 2\r\n 3 4 ]\r\n"):
        assert np.array_equal(load(FLOAT_MATRIX, text), expected)


def test_infinity_and_nan_survive_text() -> None:
    values = np.array([np.inf, -np.inf, np.nan], dtype=np.float32)
    np.testing.assert_array_equal(load(FLOAT_VECTOR, dump(FLOAT_VECTOR, values, False)), values)


def test_other_library_reads_our_archives_and_we_read_its(tmp_path: Path) -> None:
    matrices = {f"utt{i}": RNG.normal(size=(i + 1, 4)).astype(np.float32) for i in range(3)}
    with writer(f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp", FLOAT_MATRIX) as out:
        for key, matrix in matrices.items():
            out.write(key, matrix)
    for path in (kaldi_io.read_mat_ark(f"{tmp_path}/a.ark"), kaldi_io.read_mat_scp(f"{tmp_path}/a.scp")):
        read = dict(path)
        assert list(read) == list(matrices) and all(np.array_equal(read[k], matrices[k]) for k in matrices)
    with (tmp_path / "b.ark").open("wb") as stream:
        for key, matrix in matrices.items():
            kaldi_io.write_mat(stream, matrix.astype(np.float64), key=key)
    with sequential(f"ark:{tmp_path}/b.ark", FLOAT_MATRIX) as table:
        assert all(np.array_equal(value, matrices[key]) for key, value in table)


def test_other_library_and_we_agree_on_vectors_and_integers(tmp_path: Path) -> None:
    with (tmp_path / "v.ark").open("wb") as stream:
        kaldi_io.write_vec_flt(stream, np.arange(4, dtype=np.float32), key="a")
    with sequential(f"ark:{tmp_path}/v.ark", DOUBLE_VECTOR) as table:
        assert [(key, list(value)) for key, value in table] == [("a", [0, 1, 2, 3])]
    with writer(f"ark:{tmp_path}/i.ark", INT32_VECTOR) as out:
        out.write("a", [5, -6, 7])
    assert [list(value) for _, value in kaldi_io.read_vec_int_ark(f"{tmp_path}/i.ark")] == [[5, -6, 7]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0BFV \x04\x02\0\0\0" + b"\0" * 8, "vector"),
        (b"\0BXX \x04", "XX"),
        (b"\0BFM \x04\x02\0\0\0\x04\x02\0\0\0" + b"\0" * 15, "truncated"),
        (b"\0BFM \x04\xff\xff\xff\xff\x04\x02\0\0\0", "not negative"),
        (b" [ 1 2 \n 3 ]\n", "row 1"),
        (b" [ 1 x ]\n", "numbers"),
        (b" [ 1 2", "truncated"),
        (b"hello", r"'\['"),
        (b"", r"'\['"),
        (b"\0X", "header"),
    ],
)
def test_damaged_matrix_is_refused_with_its_cause(data: bytes, message: str) -> None:
    with pytest.raises(KaldiError, match=message):
        load(FLOAT_MATRIX, data)


def test_forged_size_does_not_allocate_what_is_not_there() -> None:
    forged = b"\0BFM \x04" + struct.pack("<i", 2**30) + b"\x04" + struct.pack("<i", 2**20) + b"\0" * 100
    tracemalloc.start()
    with pytest.raises(KaldiError, match="truncated"):
        load(FLOAT_MATRIX, forged)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


def test_matrix_larger_than_a_block_is_read_whole() -> None:
    matrix = np.arange(5_000_000, dtype=np.float32).reshape(-1, 10)  # 20 MB, blocks are 16
    assert np.array_equal(load(FLOAT_MATRIX, dump(FLOAT_MATRIX, matrix, True)), matrix)
