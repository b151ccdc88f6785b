r"""Vectors and matrices on a stream.

Source: Kaldi matrix/kaldi-{vector,matrix}.cc. Binary: ``FV 4 <dim> data``, ``FM 4 <rows> 4 <cols> data`` (``DV``,
``DM`` double; ``CM…`` compressed). Text: `` [ a b ]\n`` and `` [\n  a b \n  c d ]\n`` with seven significant digits.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError
from minikaldi.io.compressed import decompress, read_compressed_header, read_compressed_parts
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly, read_until, skip_space

FloatArray = npt.NDArray[Any]
_KINDS = {b"FM ": np.float32, b"DM ": np.float64, b"FV ": np.float32, b"DV ": np.float64}


def read_matrix(stream: Reader, binary: bool, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """A matrix in any of its forms.

    Args:
        stream: stands after the binary header.
        binary: what that header said.
        dtype: what to convert to.

    Returns:
        (rows, cols), writable.

    Raises:
        KaldiError: not a matrix, or truncated.
    """
    if not binary:
        return _read_text_matrix(stream, dtype)
    if stream.peek(2)[:1] == b"C":
        header = read_compressed_header(stream)
        return decompress(header, *read_compressed_parts(stream, header)).astype(dtype, copy=False)
    kind, rows, cols = read_matrix_header(stream)
    values = read_array(stream, kind, rows * cols, f"matrix of {rows} x {cols}")
    return values.reshape(rows, cols).astype(dtype, copy=False)


def read_matrix_header(stream: Reader) -> tuple[np.dtype[Any], int, int]:
    """Element type, rows and columns of an uncompressed binary matrix."""
    tag = read_exactly(stream, 3, "matrix type")
    if tag not in (b"FM ", b"DM "):
        raise KaldiError(f"expected a matrix (FM, DM, CM), found {tag!r}{_hint(tag)}")
    rows, cols = read_dim(stream), read_dim(stream)
    return np.dtype(_KINDS[tag]), rows, cols


def read_vector(stream: Reader, binary: bool, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """A vector (dim,), writable; arguments and errors as `read_matrix`."""
    if not binary:
        return _read_text_vector(stream, dtype)
    tag = read_exactly(stream, 3, "vector type")
    if tag not in (b"FV ", b"DV "):
        raise KaldiError(f"expected a vector (FV, DV), found {tag!r}{_hint(tag)}")
    dim = read_dim(stream)
    return read_array(stream, _KINDS[tag], dim, f"vector of {dim}").astype(dtype, copy=False)


def write_matrix(stream: Writer, matrix: FloatArray, binary: bool) -> None:
    """`matrix` (rows, cols) with its own dtype, float32 or float64, which must be one of the two."""
    _check(matrix, 2)
    if binary:
        tag = b"FM " if matrix.dtype == np.float32 else b"DM "
        stream.write(tag + struct.pack("<bibi", 4, matrix.shape[0], 4, matrix.shape[1]))
        stream.write(np.ascontiguousarray(matrix).data.cast("B") if matrix.size else b"")
    elif matrix.shape[0] == 0:
        stream.write(b" [ ]\n")
    else:
        row_format = "\n  " + "%.7g " * matrix.shape[1]
        stream.write((" [" + "".join(row_format % tuple(row) for row in matrix.tolist()) + "]\n").encode())


def write_vector(stream: Writer, vector: FloatArray, binary: bool) -> None:
    """`vector` (dim,) with its own dtype, float32 or float64, which must be one of the two."""
    _check(vector, 1)
    if binary:
        tag = b"FV " if vector.dtype == np.float32 else b"DV "
        stream.write(tag + struct.pack("<bi", 4, vector.shape[0]))
        stream.write(np.ascontiguousarray(vector).data.cast("B") if vector.size else b"")
    else:
        stream.write((" [ " + "%.7g " * vector.size % tuple(vector.tolist()) + "]\n").encode())


def read_dim(stream: Reader) -> int:
    """A dimension: a size byte 4 and an int32 that is not negative."""
    size, dim = struct.unpack("<bi", read_exactly(stream, 5, "dimension"))
    if size != 4 or dim < 0:
        raise KaldiError(f"found a dimension of {size} bytes and value {dim}; expected 4 bytes, not negative")
    return int(dim)


def _check(array: FloatArray, ndim: int) -> None:
    if array.ndim != ndim or array.dtype not in (np.float32, np.float64):
        found = f"an array of shape {array.shape} and type {array.dtype}"
        raise KaldiError(f"cannot write {found}; expected {ndim} dimensions, float32 or float64")


def _hint(tag: bytes) -> str:
    return {b"FM ": " (a matrix)", b"DM ": " (a matrix)", b"FV ": " (a vector)", b"DV ": " (a vector)"}.get(tag, "")


def _read_text_body(stream: Reader, what: str) -> bytes:
    """What stands between [ and ]; the end of the line after ] is passed over."""
    if not skip_space(stream) or stream.peek(1)[:1] != b"[":
        raise KaldiError(f"expected {what}: '[', found {stream.peek(1)[:20]!r}")
    body = read_until(stream, b"]", what)[1:-1]
    for end in (b"\r", b"\n"):
        if stream.peek(1)[:1] == end:
            stream.read(1)
    return body


def _read_text_matrix(stream: Reader, dtype: npt.DTypeLike) -> FloatArray:
    lines = _read_text_body(stream, "text matrix").replace(b";", b"\n").split(b"\n")
    rows = [line.split() for line in lines if line.strip()]
    cols = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != cols:
            raise KaldiError(f"row {number} of the text matrix has {len(row)} values, the rows before have {cols}")
    return _numbers([value for row in rows for value in row], dtype).reshape(len(rows), cols)


def _read_text_vector(stream: Reader, dtype: npt.DTypeLike) -> FloatArray:
    body = _read_text_body(stream, "text vector")
    if b"\n" in body.strip(b" \t"):
        raise KaldiError("expected a text vector on one line, found a line break (a matrix)")
    return _numbers(body.split(), dtype)


def _numbers(words: list[bytes], dtype: npt.DTypeLike) -> FloatArray:
    try:
        return np.array([float(word) for word in words], dtype=dtype)
    except ValueError as exc:
        raise KaldiError(f"expected numbers: {exc}") from exc
