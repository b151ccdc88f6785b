r"""Symmetric matrices: only the lower triangle is stored, row by row.

Source: Kaldi matrix/packed-matrix.cc. Binary: ``FP 4 <rows> data`` (``DP`` double). Text: ``[\na \nb c \nd e f ]\n``.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError
from minikaldi.io.matrices import FloatArray, converted, parse_numbers, read_dim, read_text_body
from minikaldi.io.places import malformed
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly

_KINDS = {b"FP ": np.float32, b"DP ": np.float64}


def packed_rows(count: int) -> int | None:
    """The rows of the symmetric matrix whose lower triangle has `count` elements; None if there is none."""
    rows = (math.isqrt(8 * count + 1) - 1) // 2
    return rows if rows * (rows + 1) // 2 == count else None


def read_packed(stream: Reader, binary: bool, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """Read the lower triangle of a symmetric matrix.

    Args:
        stream: at the first byte after the binary header.
        binary: whether there was a binary header.
        dtype: type of the result.

    Returns:
        (rows * (rows + 1) / 2,), writable.

    Raises:
        MalformedError: not such a matrix, or truncated; the text names the byte.
    """
    if binary:
        tag = read_exactly(stream, 3, "symmetric matrix type")
        if tag not in _KINDS:
            raise malformed(stream, f"expected a symmetric matrix (FP, DP), found {tag!r}", back=3)
        rows = read_dim(stream)
        name = f"symmetric matrix of {rows} x {rows}"
        return converted(read_array(stream, _KINDS[tag], rows * (rows + 1) // 2, name), dtype)
    body, back = read_text_body(stream, "text symmetric matrix")
    values = parse_numbers(stream, body.split(), body, back, dtype)
    if packed_rows(values.size) is None:
        raise malformed(stream, f"text symmetric matrix: {values.size} numbers are no lower triangle", back)
    return values


def write_packed(stream: Writer, packed: FloatArray, binary: bool) -> None:
    """Write a lower triangle (rows * (rows + 1) / 2,), float32 or float64, in its own type."""
    rows = packed_rows(packed.size)
    if packed.ndim != 1 or rows is None or packed.dtype not in (np.float32, np.float64):
        raise KaldiError(f"cannot write an array of shape {packed.shape} and type {packed.dtype} as a lower triangle")
    if binary:
        stream.write((b"FP " if packed.dtype == np.float32 else b"DP ") + struct.pack("<bi", 4, rows))
        stream.write(np.ascontiguousarray(packed).data.cast("B") if packed.size else b"")
    elif not rows:
        stream.write(b"[ ]\n")
    else:
        starts = [row * (row + 1) // 2 for row in range(rows + 1)]
        values = packed.tolist()
        lines = ["%.7g " * (row + 1) % tuple(values[starts[row] : starts[row + 1]]) for row in range(rows)]
        stream.write(("[\n" + "\n".join(lines) + "]\n").encode())
