"""Matrices in the form in which they are stored: compressed ones are copied without decompression.

Source: Kaldi, matrix/sparse-matrix.cc (GeneralMatrix), without its sparse matrices.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.io import FLOAT_MATRIX, Reader, Writer, read_binary_header, read_matrix
from minikaldi.io.compressed import CompressedHeader, decompress, read_compressed_header, read_compressed_parts


@dataclass(frozen=True)
class CompressedMatrix:
    """A matrix that stays compressed.

    Attributes:
        header: its header.
        quantiles: quantile codes (cols, 4); None unless the tag is CM.
        codes: value codes (rows, cols).
    """

    header: CompressedHeader
    quantiles: npt.NDArray[Any] | None
    codes: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.header.rows, self.header.cols

    def part(self, rows: slice, cols: slice) -> CompressedMatrix:
        """Some rows and columns, with the same codes."""
        codes = self.codes[rows, cols].copy()  # a view would keep the whole
        header = replace(self.header, rows=codes.shape[0], cols=codes.shape[1])
        return CompressedMatrix(header, None if self.quantiles is None else self.quantiles[cols], codes)

    def values(self) -> npt.NDArray[np.float32]:
        """The matrix, (rows, cols) float32."""
        return decompress(self.header, self.quantiles, self.codes)


class GeneralMatrixHolder:
    """Reads and writes float32 (rows, cols) matrices and `CompressedMatrix`."""

    what = "matrix"

    def read(self, stream: Reader) -> npt.NDArray[np.float32] | CompressedMatrix:
        """Read a matrix in its stored form (double as float32)."""
        binary = read_binary_header(stream)
        if not binary or stream.peek(1)[:1] != b"C":
            return read_matrix(stream, binary)
        header = read_compressed_header(stream)
        return CompressedMatrix(header, *read_compressed_parts(stream, header))

    def write(self, stream: Writer, value: npt.NDArray[np.float32] | CompressedMatrix, binary: bool) -> None:
        """Write a matrix; in text a compressed one is decompressed."""
        if not isinstance(value, CompressedMatrix):
            FLOAT_MATRIX.write(stream, value, binary)
        elif not binary:
            FLOAT_MATRIX.write(stream, value.values(), binary)
        else:
            _write_compressed(stream, value)


def _write_compressed(stream: Writer, matrix: CompressedMatrix) -> None:
    header, codes = matrix.header, matrix.codes
    stream.write(f"\0B{header.tag} ".encode())
    stream.write(struct.pack("<ffii", header.min_value, header.span, header.rows, header.cols))
    if header.rows == 0:
        return
    if matrix.quantiles is not None:  # CM, whose codes are stored column by column
        stream.write(matrix.quantiles.tobytes())
        codes = codes.T
    stream.write(codes.tobytes())


GENERAL_MATRIX = GeneralMatrixHolder()
