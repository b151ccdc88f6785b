"""Kaldi's compressed matrices: one byte per value with four quantiles per column (CM), two bytes (CM2), one byte (CM3).

Source: Kaldi matrix/compressed-matrix.{h,cc}. Everything is computed in float32 in the order of the source, so that
the bytes agree with Kaldi's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly, read_token

Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]

# Methods by the numbers of copy-feats --compression-method.
AUTO, SPEECH_FEATURE, TWO_BYTE_AUTO, TWO_BYTE_INTEGER, ONE_BYTE_AUTO, ONE_BYTE_INTEGER, ONE_BYTE_ZERO_ONE = range(1, 8)
_FIXED_RANGES = {TWO_BYTE_INTEGER: (-32768.0, 65535.0), ONE_BYTE_INTEGER: (0.0, 255.0), ONE_BYTE_ZERO_ONE: (0.0, 1.0)}
_TAGS = {SPEECH_FEATURE: "CM", TWO_BYTE_AUTO: "CM2", TWO_BYTE_INTEGER: "CM2"}
# With this many rows or fewer, four quantiles a column cost more than a second byte a value.
_FEW_ROWS = 8
_SHORTEST_WITH_QUARTILES = 5


@dataclass(frozen=True)
class CompressedHeader:
    """Tag (CM, CM2, CM3), the value of code 0, the span of all codes, rows and columns."""

    tag: str
    min_value: np.float32
    span: np.float32
    rows: int
    cols: int


def read_compressed_header(stream: Reader) -> CompressedHeader:
    """The header of a compressed matrix, whose tag is still in the stream."""
    tag = read_token(stream)
    if tag not in ("CM", "CM2", "CM3"):
        raise KaldiError(f"expected a compressed matrix (CM, CM2, CM3), found {tag[:20]!r}")
    min_value, span, rows, cols = struct.unpack("<ffii", read_exactly(stream, 16, "compressed matrix header"))
    if rows < 0 or cols < 0:
        raise KaldiError(f"the compressed matrix claims {rows} x {cols} values")
    return CompressedHeader(tag, np.float32(min_value), np.float32(span), rows, cols)


def read_compressed_parts(stream: Reader, header: CompressedHeader) -> tuple[Codes | None, Codes]:
    """(quantile codes (cols, 4) uint16 or None, value codes (rows, cols)) that follow the header."""
    what = f"compressed matrix of {header.rows} x {header.cols}"
    if header.tag != "CM":
        dtype = "<u2" if header.tag == "CM2" else np.uint8
        return None, read_array(stream, dtype, header.rows * header.cols, what).reshape(header.rows, header.cols)
    if header.rows == 0:
        return np.zeros((header.cols, 4), dtype="<u2"), np.zeros((0, header.cols), dtype=np.uint8)
    quantiles = read_array(stream, "<u2", header.cols * 4, what).reshape(header.cols, 4)
    codes = read_array(stream, np.uint8, header.rows * header.cols, what)
    return quantiles, codes.reshape(header.cols, header.rows).T


def decompress(header: CompressedHeader, quantiles: Codes | None, codes: Codes) -> Float32:
    """Values of any rows' codes.

    Args:
        header: of the whole matrix.
        quantiles: (cols, 4) uint16 for CM, else None.
        codes: (n, cols), rows of the matrix.

    Returns:
        (n, cols) float32.
    """
    if quantiles is None:
        levels = np.float32(65535.0) if header.tag == "CM2" else np.float32(255.0)
        increment = np.float32(float(header.span) * (1.0 / float(levels)))
        return (header.min_value + codes.astype(np.float32) * increment).astype(np.float32)
    q0, q25, q75, q100 = _from_uint16(header, quantiles).T
    values = codes.astype(np.float32)
    # The products are float32, what follows them float64, as in the source.
    low = q0 + ((q25 - q0) * values).astype(np.float64) * (1 / 64.0)
    middle = q25 + ((q75 - q25) * (values - 64)).astype(np.float64) * (1 / 128.0)
    high = q75 + ((q100 - q75) * (values - 192)).astype(np.float64) * (1 / 63.0)
    return np.where(codes <= 64, low, np.where(codes <= 192, middle, high)).astype(np.float32)


def write_compressed(stream: Writer, matrix: Float32, method: int) -> None:
    """`matrix` (rows, cols) float32, finite, by one of the methods 1–7.

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
        quantiles = _quantiles(header, matrix)
        stream.write(quantiles.astype("<u2").tobytes() + _column_codes(header, quantiles, matrix).T.tobytes())
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
        span = high - low if high > low else np.float32(low + (1.0 + abs(float(low)))) - low
    return CompressedHeader(_TAGS.get(method, "CM3"), low, span, *matrix.shape)


def _to_levels(header: CompressedHeader, values: Float32, levels: int) -> npt.NDArray[np.int32]:
    """Codes 0…levels of values; float32 products and a float64 rounding term, as the source has them."""
    fraction = np.clip((values - header.min_value) / header.span, np.float32(0), np.float32(1))
    return ((fraction * np.float32(levels)).astype(np.float64) + 0.499).astype(np.int32)


def _from_uint16(header: CompressedHeader, codes: Codes) -> Float32:
    return header.min_value + header.span * np.float32(1.52590218966964e-05) * codes.astype(np.float32)


def _quantiles(header: CompressedHeader, matrix: Float32) -> npt.NDArray[np.int32]:
    """Codes (cols, 4) of each column's minimum, quartiles and maximum, strictly increasing."""
    rows = matrix.shape[0]
    ordered = np.sort(matrix, axis=0)
    quarter = rows // 4
    at = [0, quarter, 3 * quarter, rows - 1]
    if rows < _SHORTEST_WITH_QUARTILES:
        at = [min(i, rows - 1) for i in range(4)]
    codes = _to_levels(header, ordered[at], 65535).T  # (4, cols) -> (cols, 4)
    if rows < 4:
        codes[:, rows:] = 0  # a quantile that has no value of its own is one more than the one before
    codes[:, 0] = np.minimum(codes[:, 0], 65532)
    codes[:, 1] = np.minimum(np.maximum(codes[:, 1], codes[:, 0] + 1), 65533)
    codes[:, 2] = np.minimum(np.maximum(codes[:, 2], codes[:, 1] + 1), 65534)
    codes[:, 3] = np.maximum(codes[:, 3], codes[:, 2] + 1)
    return codes


def _column_codes(header: CompressedHeader, quantiles: Codes, matrix: Float32) -> npt.NDArray[np.uint8]:
    """Codes (rows, cols): 0–64 below the first quartile, 64–192 up to the third, 192–255 above."""
    q0, q25, q75, q100 = _from_uint16(header, quantiles).T
    low = np.clip(_rounded((matrix - q0) / (q25 - q0) * np.float32(64)), 0, 64)
    middle = np.clip(64 + _rounded((matrix - q25) / (q75 - q25) * np.float32(128)), 64, 192)
    high = np.clip(192 + _rounded((matrix - q75) / (q100 - q75) * np.float32(63)), 192, 255)
    return np.where(matrix < q25, low, np.where(matrix < q75, middle, high)).astype(np.uint8)


def _rounded(values: Float32) -> npt.NDArray[np.int32]:
    return (values.astype(np.float64) + 0.5).astype(np.int32)  # truncates toward zero, as a C cast does
