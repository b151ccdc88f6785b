"""A few rows of a matrix in an archive, read without the others: training draws chunks of long utterances."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError
from minikaldi.io.compressed import CompressedHeader, decompress, read_compressed_header
from minikaldi.io.holders import FLOAT_MATRIX
from minikaldi.io.matrices import read_matrix_header
from minikaldi.io.objects import read_object
from minikaldi.io.primitives import Reader, read_array, read_binary_header
from minikaldi.io.specifiers import parse_rxfilename, split_range

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_OPEN_FILES = 64
_HEADER_BYTES = 64


def read_matrix_rows(rxfilename: str, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Rows start…stop-1 of a matrix, reading and decoding only these where the matrix lies in a file.

    Args:
        rxfilename: as in a script line: `feats.ark:123`, possibly with a range, a pipe too (then read whole).
        start: first row.
        stop: one more than the last row.

    Returns:
        (stop - start, F) float32.

    Raises:
        KaldiError: the matrix has not these rows, or cannot be read.
    """
    name, ranges = split_range(rxfilename)
    file = parse_rxfilename(name)
    if ranges != (None, None) or file.kind != "file":
        matrix = read_object(rxfilename, FLOAT_MATRIX)
        _check_rows(rxfilename, start, stop, matrix.shape[0])
        return np.asarray(matrix[start:stop], dtype=np.float32)
    source = _source(file.target, file.offset)
    try:
        return _rows_of(source, start, stop)
    except KaldiError as exc:
        raise KaldiError(f"{rxfilename}: {exc}") from exc


def matrix_shape(rxfilename: str) -> tuple[int, int]:
    """(rows, columns) of a matrix; of one in a file only the header is read.

    Raises:
        KaldiError: it cannot be read.
    """
    name, ranges = split_range(rxfilename)
    file = parse_rxfilename(name)
    if ranges == (None, None) and file.kind == "file":
        stream = _source(file.target, file.offset).stream()
        try:
            if read_binary_header(stream):
                return _shape(_header(stream))
        except KaldiError as exc:
            raise KaldiError(f"{rxfilename}: {exc}") from exc
    matrix = read_object(rxfilename, FLOAT_MATRIX)
    return matrix.shape[0], matrix.shape[1]


class _Source(io.RawIOBase):
    """A place in an open file, read with pread: processes and threads that share the file do not share its position."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._at = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count

    def tell(self) -> int:
        """The place in the file, for messages."""
        return self._at

    def stream(self, skip: int = 0) -> Reader:
        """A buffered stream `skip` bytes on; small reads do not fetch more than a header's worth."""
        return io.BufferedReader(_Source(self._descriptor, self._at + skip), _HEADER_BYTES)


class _OpenFiles(threading.local):
    """The files that this thread reads, most recently used last."""

    def __init__(self) -> None:
        self.descriptors: OrderedDict[tuple[str, int, int], int] = OrderedDict()

    def get(self, path: str) -> int:
        """A descriptor of the file that now has this name (a file that was replaced is opened anew)."""
        status = Path(path).stat()
        key = (path, status.st_dev, status.st_ino)
        if key not in self.descriptors:
            self.descriptors[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if len(self.descriptors) > _OPEN_FILES:
                os.close(self.descriptors.popitem(last=False)[1])
        self.descriptors.move_to_end(key)
        return self.descriptors[key]


_open_files = _OpenFiles()


def _source(path: str, offset: int) -> _Source:
    try:
        return _Source(_open_files.get(path), offset)
    except OSError as exc:
        raise KaldiError(f"{path}: cannot open to read: {exc.strerror}") from exc


def _header(stream: Reader) -> CompressedHeader | tuple[np.dtype[Any], int, int]:
    return read_compressed_header(stream) if stream.peek(1)[:1] == b"C" else read_matrix_header(stream)


def _shape(header: CompressedHeader | tuple[np.dtype[Any], int, int]) -> tuple[int, int]:
    return (header.rows, header.cols) if isinstance(header, CompressedHeader) else (header[1], header[2])


def _rows_of(source: _Source, start: int, stop: int) -> npt.NDArray[np.float32]:
    stream = source.stream()
    if not read_binary_header(stream):
        matrix = FLOAT_MATRIX.read(stream)
        _check_rows("text matrix", start, stop, matrix.shape[0])
        return np.asarray(matrix[start:stop], dtype=np.float32)
    header = _header(stream)
    rows, cols = _shape(header)
    _check_rows("matrix", start, stop, rows)
    if isinstance(header, CompressedHeader):
        return _compressed_rows(source, header, start, stop)
    dtype = header[0]
    data = source.stream(2 + 3 + 10 + start * cols * dtype.itemsize)  # \0B, "FM ", two dimensions of 5 bytes, rows
    values = read_array(data, dtype, (stop - start) * cols, "rows")
    return values.reshape(stop - start, cols).astype(np.float32, copy=False)


def _compressed_rows(source: _Source, header: CompressedHeader, start: int, stop: int) -> npt.NDArray[np.float32]:
    count, cols = stop - start, header.cols
    begin = 2 + len(header.tag) + 1 + 16  # \0B, the tag and its blank, the header
    if header.tag != "CM":
        dtype = np.dtype("<u2" if header.tag == "CM2" else "u1")
        data = source.stream(begin + start * cols * dtype.itemsize)
        return decompress(header, None, read_array(data, dtype, count * cols, "rows").reshape(count, cols))
    quantiles = read_array(source.stream(begin), "<u2", 4 * cols, "quantiles").reshape(cols, 4)
    # CM stores column after column: the columns are one block, of which the rows are a slice.
    block = read_array(source.stream(begin + 8 * cols), np.uint8, header.rows * cols, "columns")
    return decompress(header, quantiles, block.reshape(cols, header.rows)[:, start:stop].T)


def _check_rows(what: str, start: int, stop: int, rows: int) -> None:
    if not 0 <= start <= stop <= rows:
        raise KaldiError(f"{what}: rows {start} to {stop} (excluded) were asked for, there are {rows}")
