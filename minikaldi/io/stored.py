"""Reading a part of a matrix in a file without the rest: chunks for training, ranges of scripts."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from minikaldi.io.compressed import CompressedHeader, decompress, read_compressed_header
from minikaldi.io.matrices import read_matrix_header
from minikaldi.io.places import malformed
from minikaldi.io.primitives import Reader, read_array, read_binary_header

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FloatArray = npt.NDArray[Any]

_HEADER_BYTES = 64
# If this many bytes of a column are not wanted, each column is read by itself; below that, one call for each column
# takes longer than reading the bytes between (equal at 30,000 bytes and 300 rows, file in memory).
_GAP_BYTES = 1 << 15
_LAST_PLACE = (1 << 63) - 1  # the offset from a forged header may exceed it


class StoredMatrix:
    """A binary matrix in a regular file, known by its header.

    Args:
        source: where the matrix begins.
        header: header of a compressed matrix, or element type, rows and columns.
    """

    def __init__(self, source: _Source, header: CompressedHeader | tuple[np.dtype[Any], int, int]) -> None:
        self._source = source
        self._header = header

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        header = self._header
        return (header.rows, header.cols) if isinstance(header, CompressedHeader) else header[1:]

    def part(self, rows: slice, cols: slice = slice(None)) -> FloatArray:
        """Read some rows and columns, and no other rows; of CM no other columns either.

        Args:
            rows: start and stop, within the matrix; the step is ignored.
            cols: the same.

        Returns:
            (rows, cols) float32, or float64 from a double matrix; writable.

        Raises:
            KaldiError: the file ends before.
        """
        first, last = _bounds(rows, self.shape[0])
        left, right = _bounds(cols, self.shape[1])
        if not isinstance(self._header, CompressedHeader):
            begin = 2 + 3 + 10  # \0B, "FM ", two dimensions of 5 bytes
            whole = self._rows(begin, self._header[0], first, last)
        elif self._header.tag == "CM":
            return self._part_by_column(self._header, first, last, left, right)
        else:
            begin = 2 + len(self._header.tag) + 1 + 16  # \0B, the tag and its blank, the header
            codes = self._rows(begin, np.dtype("<u2" if self._header.tag == "CM2" else "u1"), first, last)
            whole = decompress(self._header, None, codes)
        return whole if right - left == whole.shape[1] else np.ascontiguousarray(whole[:, left:right])

    def _rows(self, begin: int, dtype: np.dtype[Any], first: int, last: int) -> FloatArray:
        cols = self.shape[1]
        stream = self._source.stream(begin + first * cols * dtype.itemsize)
        return read_array(stream, dtype, (last - first) * cols, f"rows {first} to {last}").reshape(last - first, cols)

    def _part_by_column(self, header: CompressedHeader, first: int, last: int, left: int, right: int) -> FloatArray:
        """Read a part of CM, which stores the quantiles of all columns, then column after column."""
        begin, count = 2 + 3 + 16, right - left
        stream = self._source.stream(begin + 8 * left)
        quantiles = read_array(stream, "<u2", 4 * count, "quantiles").reshape(count, 4)
        begin += 8 * header.cols + left * header.rows
        if header.rows - (last - first) < _GAP_BYTES:
            block = read_array(self._source.stream(begin), np.uint8, header.rows * count, "columns")
            codes = block.reshape(count, header.rows)[:, first:last]
        else:
            codes = self._source.strided(begin + first, header.rows, (count, last - first))
        return decompress(header, quantiles, codes.T)


def stored_matrix(descriptor: int, offset: int) -> StoredMatrix | None:
    """The matrix at this offset of an open regular file; None if it is in text and must be read whole.

    Raises:
        KaldiError: no matrix begins there.
    """
    source = _Source(descriptor, offset)
    stream = source.stream()
    if not read_binary_header(stream):
        return None
    is_compressed = stream.peek(1)[:1] == b"C"
    return StoredMatrix(source, read_compressed_header(stream) if is_compressed else read_matrix_header(stream))


class _Source(io.RawIOBase):
    """An offset in an open file, read with pread: processes and threads that share the file do not share an offset."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._at = offset

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; 0 at the end."""
        reachable = self._at <= _LAST_PLACE - memoryview(buffer).nbytes
        count = os.preadv(self._descriptor, [buffer], self._at) if reachable else 0
        self._at += count
        return count

    def tell(self) -> int:
        """The offset in the file, for messages."""
        return self._at

    def stream(self, skip: int = 0) -> Reader:
        """A buffered stream `skip` bytes further; a small read does not fetch more than a header."""
        return io.BufferedReader(_Source(self._descriptor, self._at + skip), _HEADER_BYTES)

    def strided(self, skip: int, stride: int, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Read blocks of bytes at equal distances.

        Args:
            skip: bytes from here to the first block.
            stride: bytes from the beginning of one block to that of the next, at least the length of a block.
            shape: number of blocks, and bytes of each.

        Raises:
            MalformedError: the file ends before.
        """
        count, length = shape
        begin, size = self._at + skip, os.fstat(self._descriptor).st_size
        end = begin + (count - 1) * stride + length
        if count and end > size:  # checked before memory is allocated
            raise malformed(
                self.stream(skip), f"columns: expected {end - begin} bytes, found {max(0, size - begin)}: truncated?"
            )
        blocks = np.empty(shape, dtype=np.uint8)
        for number in range(count):
            os.preadv(self._descriptor, [blocks[number].data], begin + number * stride)
        return blocks


def _bounds(part: slice, size: int) -> tuple[int, int]:
    start, stop, _ = part.indices(size)
    return start, max(start, stop)
