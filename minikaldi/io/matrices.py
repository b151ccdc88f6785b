r"""Reading and writing vectors and matrices on a stream.

Source: Kaldi matrix/kaldi-{vector,matrix}.cc. Binary: ``FV 4 <dim> data``, ``FM 4 <rows> 4 <cols> data`` (``DV``,
``DM`` double; ``CM…`` compressed). Text: `` [ a b ]\n`` and `` [\n  a b \n  c d ]\n`` with seven significant digits.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError
from minikaldi.io.compressed import decompress, read_compressed_header, read_compressed_parts
from minikaldi.io.places import malformed
from minikaldi.io.primitives import (
    Reader,
    Writer,
    cut_short,
    excerpt,
    read_array,
    read_binary_header,
    read_exactly,
    read_until,
    skip_space,
    to_float,
)

FloatArray = npt.NDArray[Any]
_KINDS = {b"FM ": np.float32, b"DM ": np.float64, b"FV ": np.float32, b"DV ": np.float64}
_FLOAT32 = np.dtype(np.float32)
_FLOATS = b"\0BFV \4"  # the beginning of a binary vector of float32; its dimension follows, four bytes
_FLOATS_HEADER_BYTES = len(_FLOATS) + 4
_SHORT_DIM = 1 << 20


def read_matrix(stream: Reader, binary: bool, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """Read a matrix in any of its forms.

    Args:
        stream: at the first byte after the binary header.
        binary: whether there was a binary header.
        dtype: type of the result.

    Returns:
        (rows, cols), writable.

    Raises:
        MalformedError: not a matrix, or truncated; the text names the byte.
    """
    if not binary:
        return _read_text_matrix(stream, dtype)
    if stream.peek(2)[:1] == b"C":
        header = read_compressed_header(stream)
        return converted(decompress(header, *read_compressed_parts(stream, header)), dtype)
    kind, rows, cols = read_matrix_header(stream)
    values = read_array(stream, kind, rows * cols, f"matrix of {rows} x {cols}")
    return converted(values.reshape(rows, cols), dtype)


def read_matrix_header(stream: Reader) -> tuple[np.dtype[Any], int, int]:
    """Element type, rows and columns of an uncompressed binary matrix."""
    tag = read_exactly(stream, 3, "matrix type")
    if tag not in (b"FM ", b"DM "):
        raise malformed(stream, f"expected a matrix (FM, DM, CM), found {tag!r}{_hint(tag)}", back=3)
    rows, cols = read_dim(stream), read_dim(stream)
    if rows and not cols:
        raise malformed(stream, f"found a matrix of {rows} x 0; expected 0 x 0 of an empty one", back=10)
    return np.dtype(_KINDS[tag]), rows, cols


def read_vector(stream: Reader, binary: bool, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """Read a vector (dim,), writable; arguments and errors as `read_matrix`."""
    if not binary:
        return _read_text_vector(stream, dtype)
    tag = read_exactly(stream, 3, "vector type")
    if tag not in (b"FV ", b"DV "):
        raise malformed(stream, f"expected a vector (FV, DV), found {tag!r}{_hint(tag)}", back=3)
    dim = read_dim(stream)
    return converted(read_array(stream, _KINDS[tag], dim, f"vector of {dim}"), dtype)


def read_vector_object(stream: Reader, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """Read a vector (dim,), writable, with its header; errors as `read_matrix`.

    Tables hold hundreds of thousands of short vectors: the usual kind, binary float32, is read in two calls.
    """
    head = stream.peek(_FLOATS_HEADER_BYTES)[:_FLOATS_HEADER_BYTES]
    dim = int.from_bytes(head[len(_FLOATS) :], "little")
    usual = head.startswith(_FLOATS) and len(head) == _FLOATS_HEADER_BYTES and dim <= _SHORT_DIM
    if not usual or dtype != _FLOAT32:
        return read_vector(stream, read_binary_header(stream), dtype)
    stream.read(_FLOATS_HEADER_BYTES)
    data = stream.read(dim * _FLOAT32.itemsize)
    if len(data) != dim * _FLOAT32.itemsize:
        raise cut_short(stream, f"vector of {dim}", dim * _FLOAT32.itemsize, len(data))
    return np.frombuffer(data, _FLOAT32).copy()


def converted(values: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
    """`values` as `dtype`; a double that is too large for a float becomes infinite, as in Kaldi."""
    if values.dtype == dtype:  # setting the error state takes a fifth of the time of reading a vector
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype, copy=False)


def write_matrix(stream: Writer, matrix: FloatArray, binary: bool) -> None:
    """Write `matrix` (rows, cols), float32 or float64, in its own type."""
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
    """Write `vector` (dim,), float32 or float64, in its own type."""
    _check(vector, 1)
    if binary:
        tag = b"FV " if vector.dtype == np.float32 else b"DV "
        stream.write(tag + struct.pack("<bi", 4, vector.shape[0]))
        stream.write(np.ascontiguousarray(vector).data.cast("B") if vector.size else b"")
    else:
        stream.write((" [ " + "%.7g " * vector.size % tuple(vector.tolist()) + "]\n").encode())


def read_dim(stream: Reader) -> int:
    """Read a dimension: a size byte 4 and an int32 >= 0."""
    size, dim = struct.unpack("<bi", read_exactly(stream, 5, "dimension"))
    if size != 4 or dim < 0:
        text = f"found a dimension of {size} bytes and value {dim}; expected 4 bytes, not negative"
        raise malformed(stream, text, back=5)
    return int(dim)


def _check(array: FloatArray, ndim: int) -> None:
    if array.ndim != ndim or array.dtype not in (np.float32, np.float64):
        found = f"an array of shape {array.shape} and type {array.dtype}"
        raise KaldiError(f"cannot write {found}; expected {ndim} dimensions, float32 or float64")


def _hint(tag: bytes) -> str:
    return {b"FM ": " (a matrix)", b"DM ": " (a matrix)", b"FV ": " (a vector)", b"DV ": " (a vector)"}.get(tag, "")


def read_text_body(stream: Reader, what: str) -> tuple[bytes, int]:
    """The bytes between [ and ], and how many bytes back they begin; the end of the line after ] is skipped."""
    if not skip_space(stream) or stream.peek(1)[:1] != b"[":
        ahead = stream.peek(1)[:20]
        raise malformed(stream, f"expected {what}: '[', found {repr(ahead) if ahead else 'the end of the file'}")
    body = read_until(stream, b"]", what)[1:-1]
    back = len(body) + 1
    for end in (b"\r", b"\n"):
        if stream.peek(1)[:1] == end:
            back += len(stream.read(1))
    return body, back


def _read_text_matrix(stream: Reader, dtype: npt.DTypeLike) -> FloatArray:
    body, back = read_text_body(stream, "text matrix")
    body = body.replace(b";", b"\n")
    lines = body.split(b"\n")
    rows = [words for line in lines if (words := line.split())]
    cols = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != cols:
            found = f"row {number} of the text matrix has {len(row)} values, the rows before have {cols}"
            raise malformed(stream, found, back - _offset_of_row(lines, number))
    return parse_numbers(stream, chain.from_iterable(rows), body, back, dtype).reshape(len(rows), cols)


def _offset_of_row(lines: list[bytes], number: int) -> int:
    """The offset of a row; empty lines are not rows."""
    at = [i for i, line in enumerate(lines) if line.strip()][number]
    return sum(len(line) + 1 for line in lines[:at])


def _read_text_vector(stream: Reader, dtype: npt.DTypeLike) -> FloatArray:
    body, back = read_text_body(stream, "text vector")
    if b"\n" in body.strip(b" \t"):
        raise malformed(stream, "expected a text vector on one line, found a line break (a matrix)", back)
    return parse_numbers(stream, body.split(), body, back, dtype)


def parse_numbers(stream: Reader, words: Iterable[bytes], body: bytes, back: int, dtype: npt.DTypeLike) -> FloatArray:
    """The words of `body`, which begins `back` bytes before the stream's position, as numbers."""
    try:
        numbers = np.array(list(map(float, words)), dtype=np.float64)
    except ValueError as exc:
        _check_words(stream, body, back, dtype)
        raise malformed(stream, "expected numbers", back) from exc
    values = converted(numbers, dtype)
    # Python alone accepts 1_000 as a number, and 1e999 as infinity; only a suspect body is searched for them.
    if b"_" in body or np.isinf(values).any():
        _check_words(stream, body, back, dtype)
    return values


def _check_words(stream: Reader, body: bytes, back: int, dtype: npt.DTypeLike) -> None:
    """Check each word.

    Raises:
        MalformedError: a word is not a number of this type; the first one is named.
    """
    for found in re.finditer(rb"\S+", body):
        try:
            value = to_float(found[0])
        except ValueError as exc:
            raise malformed(stream, f"expected numbers, found {excerpt(found[0])}", back - found.start()) from exc
        if math.isfinite(value) and not np.isfinite(converted(np.array(value), dtype)):
            text = f"the number {excerpt(found[0])} is too large for a {np.dtype(dtype)}"
            raise malformed(stream, text, back - found.start())
