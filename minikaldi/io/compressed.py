"""Kaldi's compressed matrices: one byte per value with four quantiles per column (CM), two bytes (CM2), one byte (CM3).

Source: Kaldi matrix/compressed-matrix.{h,cc}. Everything is computed in float32 in the order of the source, so that
the bytes agree with Kaldi's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError
from minikaldi.io.places import malformed
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly, read_token

Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]

# Methods by the numbers of copy-feats --compression-method.
AUTO, SPEECH_FEATURE, TWO_BYTE_AUTO, TWO_BYTE_INTEGER, ONE_BYTE_AUTO, ONE_BYTE_INTEGER, ONE_BYTE_ZERO_ONE = range(1, 8)
_FIXED_RANGES = {TWO_BYTE_INTEGER: (-32768.0, 65535.0), ONE_BYTE_INTEGER: (0.0, 255.0), ONE_BYTE_ZERO_ONE: (0.0, 1.0)}
_TAGS = {SPEECH_FEATURE: "CM", TWO_BYTE_AUTO: "CM2", TWO_BYTE_INTEGER: "CM2"}
# With this many rows or fewer, four quantiles per column take more space than a second byte per value.
_FEW_ROWS = 8
_SHORTEST_WITH_QUARTILES = 5
_PART_STEPS = (64, 128, 63)  # codes between the minimum, the quartiles and the maximum
# Adding it in float32 and truncating rounds half up, as adding 0.5 in float64 does; 0.5 itself would round twice.
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
_BLOCK_VALUES = 1 << 16
_LOOKED_UP_TOGETHER = 1 << 13  # columns; 256 values of each must fit into memory, however wide a forged matrix is
_LOOKED_UP_AT_ONCE = 1 << 13


@dataclass(frozen=True)
class CompressedHeader:
    """The header of a compressed matrix.

    Attributes:
        tag: CM, CM2 or CM3.
        min_value: value of code 0.
        span: difference between the values of the largest code and of code 0.
        rows: number of rows.
        cols: number of columns.
    """

    tag: str
    min_value: np.float32
    span: np.float32
    rows: int
    cols: int


def read_compressed_header(stream: Reader) -> CompressedHeader:
    """Read the header of a compressed matrix, from its tag on."""
    tag = read_token(stream)
    if tag not in ("CM", "CM2", "CM3"):
        raise malformed(stream, f"expected a compressed matrix (CM, CM2, CM3), found {tag[:20]!r}", len(tag) + 1)
    min_value, span, rows, cols = struct.unpack("<ffii", read_exactly(stream, 16, "compressed matrix header"))
    if rows < 0 or cols < 0:
        raise malformed(stream, f"the compressed matrix claims {rows} x {cols} values", back=8)
    if (rows == 0) != (cols == 0):
        raise malformed(stream, f"found a matrix of {rows} x {cols}; expected 0 x 0 of an empty one", back=8)
    if not np.isfinite([min_value, span]).all():
        text = f"the compressed matrix claims values from {min_value} and a span of {span}; expected finite numbers"
        raise malformed(stream, text, back=16)
    return CompressedHeader(tag, np.float32(min_value), np.float32(span), rows, cols)


def read_compressed_parts(stream: Reader, header: CompressedHeader) -> tuple[Codes | None, Codes]:
    """Read the codes after the header.

    Returns:
        Quantile codes (cols, 4) uint16, None unless the tag is CM; value codes (rows, cols).
    """
    what = f"compressed matrix of {header.rows} x {header.cols}"
    if header.tag != "CM":
        dtype = "<u2" if header.tag == "CM2" else np.uint8
        return None, read_array(stream, dtype, header.rows * header.cols, what).reshape(header.rows, header.cols)
    if header.rows == 0:
        return np.zeros((header.cols, 4), dtype="<u2"), np.zeros((0, header.cols), dtype=np.uint8)
    quantiles = read_array(stream, "<u2", header.cols * 4, what).reshape(header.cols, 4)
    codes = read_array(stream, np.uint8, header.rows * header.cols, what)
    return quantiles, codes.reshape(header.cols, header.rows).T


@np.errstate(over="ignore", invalid="ignore")  # a forged range may reach beyond float32: infinite values, as in Kaldi
def decompress(header: CompressedHeader, quantiles: Codes | None, codes: Codes) -> Float32:
    """The values of codes.

    Args:
        header: header of the whole matrix.
        quantiles: (cols, 4) uint16 for CM, else None.
        codes: (n, cols), any rows of the matrix.

    Returns:
        (n, cols) float32.
    """
    if quantiles is None:
        levels = np.float32(65535.0) if header.tag == "CM2" else np.float32(255.0)
        increment = np.float32(float(header.span) * (1.0 / float(levels)))
        return (header.min_value + codes.astype(np.float32) * increment).astype(np.float32)
    if len(quantiles) > _LOOKED_UP_TOGETHER:
        parts = [slice(at, at + _LOOKED_UP_TOGETHER) for at in range(0, len(quantiles), _LOOKED_UP_TOGETHER)]
        return np.concatenate([decompress(header, quantiles[part], codes[:, part]) for part in parts], axis=1)
    # Each column has at most 256 values: they are computed once and looked up, in blocks of rows that fit the cache.
    values = _column_values(_from_uint16(header, quantiles)).ravel()
    first = np.arange(0, len(values), 256)  # where a column's values begin
    result = np.empty(codes.shape, dtype=np.float32)
    height = max(1, _LOOKED_UP_AT_ONCE // max(1, len(first)))
    for at in range(0, len(result), height):
        index = codes[at : at + height].astype(np.intp, order="C")
        index += first
        values.take(index, out=result[at : at + height], mode="clip")  # all are in range; mode "raise" copies
    return result


def _column_values(quantiles: Float32) -> Float32:
    """The value of each code: quantiles (cols, 4) -> (cols, 256)."""
    q0, q25, q75, q100 = quantiles.T[:, :, None]  # (cols, 1) each
    codes = np.arange(256, dtype=np.float32)
    low, middle, high = codes[:65], codes[65:193] - 64, codes[193:] - 192
    # The products are float32, the sums float64, as in the source.
    parts = [
        q0 + ((q25 - q0) * low).astype(np.float64) * (1 / 64.0),
        q25 + ((q75 - q25) * middle).astype(np.float64) * (1 / 128.0),
        q75 + ((q100 - q75) * high).astype(np.float64) * (1 / 63.0),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _column_blocks(columns: Codes) -> Iterator[slice]:
    """Slices of (cols, rows) that fit the processor's cache with all intermediate results."""
    cols, rows = columns.shape
    width = max(1, _BLOCK_VALUES // max(1, rows))
    return (slice(at, at + width) for at in range(0, cols, width))


def write_compressed(stream: Writer, matrix: Float32, method: int) -> None:
    """Write `matrix` (rows, cols) float32, finite, by one of the methods 1 to 7.

    Raises:
        KaldiError: unknown method, or a NaN or infinity in the matrix.
    """
    if not AUTO <= method <= ONE_BYTE_ZERO_ONE:
        raise KaldiError(f"compression method {method} is unknown; choose 1 to 7")
    if method == AUTO:
        method = SPEECH_FEATURE if matrix.shape[0] > _FEW_ROWS else TWO_BYTE_AUTO
    if matrix.size == 0:
        stream.write(b"CM " + struct.pack("<ffii", 0.0, 0.0, 0, 0))
        return
    header = _make_header(matrix, method)
    stream.write(f"{header.tag} ".encode() + struct.pack("<ffii", header.min_value, header.span, *matrix.shape))
    if header.tag == "CM":
        quantiles, codes = _speech_codes(header, np.ascontiguousarray(matrix.T))
        stream.write(quantiles.astype("<u2").tobytes())
        stream.write(codes.data.cast("B"))
    else:
        levels, dtype = (65535, "<u2") if header.tag == "CM2" else (255, "u1")
        stream.write(_to_levels(header, matrix, levels).astype(dtype).tobytes())


def _make_header(matrix: Float32, method: int) -> CompressedHeader:
    if not np.isfinite(matrix).all():
        row, col = np.argwhere(~np.isfinite(matrix))[0]
        raise KaldiError(f"cannot compress: row {row}, column {col} is {matrix[row, col]}; expected finite numbers")
    if method in _FIXED_RANGES:
        low, span = (np.float32(x) for x in _FIXED_RANGES[method])
    else:
        low, high = matrix.min(), matrix.max()
        # A constant matrix still needs a range to be coded in.
        with np.errstate(over="ignore"):  # refused below
            span = high - low if high > low else np.float32(low + (1.0 + abs(float(low)))) - low
        if not np.isfinite(span):
            raise KaldiError(f"cannot compress: values from {low} to {high} are too far apart for float32")
    return CompressedHeader(_TAGS.get(method, "CM3"), low, span, *matrix.shape)


def _to_levels(header: CompressedHeader, values: Float32, levels: int) -> npt.NDArray[np.int32]:
    """Codes 0…levels of values; float32 products and a float64 rounding term, as in the source."""
    fraction = np.clip((values - header.min_value) / header.span, np.float32(0), np.float32(1))
    return ((fraction * np.float32(levels)).astype(np.float64) + 0.499).astype(np.int32)


def _from_uint16(header: CompressedHeader, codes: Codes) -> Float32:
    return header.min_value + header.span * np.float32(1.52590218966964e-05) * codes.astype(np.float32)


def _speech_codes(header: CompressedHeader, columns: Float32) -> tuple[Codes, npt.NDArray[np.uint8]]:
    """Quantile codes (cols, 4) and value codes (cols, rows) of `columns` (cols, rows)."""
    quantiles = np.empty((columns.shape[0], 4), dtype=np.int32)
    codes = np.empty(columns.shape, dtype=np.uint8)
    for block in _column_blocks(columns):
        quantiles[block] = _quantiles(header, columns[block])
        codes[block] = _column_codes(_from_uint16(header, quantiles[block]), columns[block])
    return quantiles, codes


def _quantiles(header: CompressedHeader, columns: Float32) -> npt.NDArray[np.int32]:
    """Codes (cols, 4) of each column's minimum, quartiles and maximum, strictly increasing."""
    rows = columns.shape[1]
    ordered = np.sort(columns, axis=1)
    quarter = rows // 4
    at = [0, quarter, 3 * quarter, rows - 1]
    if rows < _SHORTEST_WITH_QUARTILES:
        at = [min(i, rows - 1) for i in range(4)]
    codes = _to_levels(header, ordered[:, at], 65535)  # (cols, 4)
    if rows < 4:
        codes[:, rows:] = 0  # a quantile without a value of its own becomes one more than the one before
    codes[:, 0] = np.minimum(codes[:, 0], 65532)
    codes[:, 1] = np.minimum(np.maximum(codes[:, 1], codes[:, 0] + 1), 65533)
    codes[:, 2] = np.minimum(np.maximum(codes[:, 2], codes[:, 1] + 1), 65534)
    codes[:, 3] = np.maximum(codes[:, 3], codes[:, 2] + 1)
    return codes


def _column_codes(quantiles: Float32, columns: Float32) -> npt.NDArray[np.uint8]:
    """Codes of `columns` (cols, rows) between `quantiles` (cols, 4): 64 steps, then 128, then 63.

    A value passes through all three parts; the parts below it are full and those above it empty, so that the sum is its
    code.
    """
    codes = np.zeros(columns.shape, dtype=np.uint8)
    steps = np.empty_like(columns)
    for part, most in enumerate(_PART_STEPS):
        low, high = quantiles[:, part, None], quantiles[:, part + 1, None]
        narrow = (low == high)[:, 0]  # the quantiles differ by less than float32 resolves
        np.subtract(columns, low, out=steps)
        steps /= np.where(narrow[:, None], np.float32(1), high - low)
        steps *= np.float32(most)
        steps += _BELOW_HALF
        taken = np.clip(steps, 0, most, out=steps).astype(np.uint8)
        if narrow.any():  # the result of C's division by zero: nothing above the last quartile
            taken[narrow] = 0 if part == 2 else most * (columns[narrow] >= high[narrow])
        codes += taken
    return codes
