"""Feature matrices in HTK's format: a 12-byte header and big-endian floats.

Source: The HTK Book, section 5.10 (parameter files); Kaldi, feat's use of util/kaldi-holder-inl.h (HtkMatrixHolder).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from minikaldi.errors import KaldiError
from minikaldi.io.primitives import Reader, Writer, read_array, read_exactly

MFCC_KIND = 6
FBANK_KIND = 7
_HAS_ENERGY = 0o100
_HAS_C0 = 0o20000


class HtkHolder:
    """Writes and reads float32 (T, F) matrices.

    Args:
        kind: MFCC_KIND or FBANK_KIND.
        has_energy: whether one column is the log energy (else it is C0).
        frame_shift: milliseconds.
    """

    what = "HTK matrix"

    def __init__(self, kind: int, has_energy: bool, frame_shift: float) -> None:
        self.kind = kind | (_HAS_ENERGY if has_energy else _HAS_C0)
        self.period = round(frame_shift * 10_000)  # HTK counts in 100 ns

    def read(self, stream: Reader) -> NDArray[np.float32]:
        """The matrix, float32 (T, F)."""
        rows, _, row_bytes, _ = struct.unpack(">iihH", read_exactly(stream, 12, "HTK header"))
        if rows < 0 or row_bytes <= 0 or row_bytes % 4:
            raise KaldiError(f"expected an HTK header, found one with {rows} rows of {row_bytes} bytes")
        values = read_array(stream, ">f4", rows * (row_bytes // 4), "HTK matrix")
        return values.reshape(rows, row_bytes // 4).astype(np.float32)

    def write(self, stream: Writer, value: NDArray[np.float32], binary: bool) -> None:
        """Header and matrix."""
        if not binary:
            raise KaldiError("HTK matrices cannot be written as text; drop the 't' from the wspecifier")
        stream.write(struct.pack(">iihH", len(value), self.period, 4 * value.shape[1], self.kind))
        stream.write(value.astype(">f4").tobytes())
