"""Feature matrices in the formats of HTK and of CMU Sphinx: big-endian floats after a short header.

Source: The HTK Book, section 5.10 (parameter files); Kaldi, matrix/kaldi-matrix.cc (ReadHtk, WriteHtk) and
util/kaldi-holder-inl.h (SphinxMatrixHolder). Only the header that is written differs from Kaldi's: it has the true
frame shift, while Kaldi always writes 10 ms.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly

MFCC_KIND = 6
FBANK_KIND = 7
USER_KIND = 9
_BASE_KIND = 0o77
_HAS_ENERGY = 0o100
_COMPRESSED = 0o2000
_HAS_CHECKSUM = 0o10000
_HAS_C0 = 0o20000
_QUANTISED = 0o40000
_NO_FEATURES = {0: "a waveform", 5: "integer reflection coefficients", 10: "discrete symbols"}
_CHECKSUM_BYTES = 2
_MOST_ROW_BYTES = (1 << 15) - 1

SPHINX_DIM = 13
"""Columns of a Sphinx file, which does not store them; Kaldi assumes this number."""


class HtkHolder:
    """Writes and reads float32 (T, F) matrices.

    Args:
        kind: HTK's number for the kind of feature that is written.
        has_energy: whether one column is the log energy (else it is C0).
        frame_shift: milliseconds.
    """

    what = "HTK matrix"

    def __init__(self, kind: int = USER_KIND, has_energy: bool = False, frame_shift: float = 10.0) -> None:
        self.kind = kind | (_HAS_ENERGY if has_energy else _HAS_C0)
        self.period = round(frame_shift * 10_000)  # HTK counts in 100 ns

    def read(self, stream: Reader) -> NDArray[np.float32]:
        """Read a matrix, float32 (T, F), of any kind; a checksum after it is skipped.

        Raises:
            KaldiError: compressed or quantised, not features, no header, or truncated.
        """
        rows, _, row_bytes, kind = struct.unpack(">iihH", read_exactly(stream, 12, "HTK header"))
        _check_kind(kind)
        if rows < 0 or row_bytes < 0 or row_bytes % 4 or (rows > 0 and row_bytes == 0):
            raise KaldiError(f"expected an HTK header, found one with {rows} rows of {row_bytes} bytes")
        values = read_array(stream, ">f4", rows * (row_bytes // 4), "HTK matrix")
        if kind & _HAS_CHECKSUM:
            read_exactly(stream, _CHECKSUM_BYTES, "HTK checksum")
        return values.reshape(rows, row_bytes // 4).astype(np.float32)

    def write(self, stream: Writer, value: NDArray[np.float32], binary: bool) -> None:
        """Write header and matrix."""
        if not binary:
            raise KaldiError("HTK matrices cannot be written as text; drop the 't' from the wspecifier")
        if 4 * value.shape[1] > _MOST_ROW_BYTES:
            raise KaldiError(f"HTK matrices have {_MOST_ROW_BYTES // 4} columns at most, found {value.shape[1]}")
        stream.write(struct.pack(">iihH", len(value), self.period, 4 * value.shape[1], self.kind))
        stream.write(value.astype(">f4").tobytes())


class SphinxHolder:
    """Writes and reads float32 (T, 13) matrices."""

    what = "Sphinx matrix"

    def read(self, stream: Reader) -> NDArray[np.float32]:
        """Read a matrix, float32 (T, 13).

        Raises:
            KaldiError: the number of values is not a multiple of 13, or it is truncated.
        """
        (count,) = struct.unpack(">i", read_exactly(stream, 4, "Sphinx header"))
        if count < 0 or count % SPHINX_DIM:
            raise KaldiError(
                f"expected Sphinx features of {SPHINX_DIM} columns, big-endian; found {count} values, which is not "
                f"a multiple of {SPHINX_DIM}"
            )
        values = read_array(stream, ">f4", count, "Sphinx matrix")
        return values.reshape(-1, SPHINX_DIM).astype(np.float32)

    def write(self, stream: Writer, value: NDArray[np.float32], binary: bool) -> None:
        """Write the number of values and the matrix."""
        if not binary:
            raise KaldiError("Sphinx matrices cannot be written as text; drop the 't' from the wspecifier")
        stream.write(struct.pack(">i", value.size) + value.astype(">f4").tobytes())


def _check_kind(kind: int) -> None:
    if kind & (_COMPRESSED | _QUANTISED):
        raise KaldiError(
            f"the HTK features are compressed or vector-quantised (kind 0{kind:o}); convert them with HTK's HCopy"
        )
    if kind & _BASE_KIND in _NO_FEATURES:
        raise KaldiError(f"the HTK file holds {_NO_FEATURES[kind & _BASE_KIND]} (kind 0{kind:o}), expected features")
