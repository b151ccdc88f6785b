"""Reading a few rows of a matrix in an archive without the others: training draws chunks of long utterances."""

from __future__ import annotations

import os
import resource
import stat
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError, no_handles, why
from minikaldi.io.holders import FLOAT_MATRIX
from minikaldi.io.matrices import converted
from minikaldi.io.objects import read_object
from minikaldi.io.specifiers import parse_rxfilename, split_range
from minikaldi.io.stored import StoredMatrix, stored_matrix

_OPEN_FILES = 64  # at most, and at most a quarter of the files that a process may have open (ulimit -n)
_SHARE = 4


def read_matrix_rows(rxfilename: str, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Rows start…stop-1 of a matrix; if the matrix is in a file, only these rows are read and decoded.

    Args:
        rxfilename: as in a script line: `feats.ark:123`, possibly with a range; a pipe is read whole.
        start: first row.
        stop: one more than the last row.

    Returns:
        (stop - start, F) float32.

    Raises:
        KaldiError: the matrix does not have these rows, or cannot be read.
    """
    try:
        stored = _stored(rxfilename)
        if stored is not None:
            _check_rows(start, stop, stored.shape[0])
            return converted(stored.part(slice(start, stop)), np.float32)
    except KaldiError as exc:
        raise KaldiError(f"{rxfilename}: {exc}") from exc
    matrix = read_object(rxfilename, FLOAT_MATRIX)
    _check_rows(start, stop, matrix.shape[0], f"{rxfilename}: ")
    return np.asarray(matrix[start:stop], dtype=np.float32)


def matrix_shape(rxfilename: str) -> tuple[int, int]:
    """(rows, columns) of a matrix; if it is in a file, only its header is read.

    Raises:
        KaldiError: it cannot be read.
    """
    try:
        stored = _stored(rxfilename)
    except KaldiError as exc:
        raise KaldiError(f"{rxfilename}: {exc}") from exc
    return read_object(rxfilename, FLOAT_MATRIX).shape if stored is None else stored.shape


class _Descriptor:
    """A file open for reading, closed when nothing refers to it, so that a thread that ends leaves none open."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class _OpenFiles(threading.local):
    """The files that this thread reads, most recently used last."""

    def __init__(self) -> None:
        self.files: OrderedDict[tuple[str, int, int], _Descriptor] = OrderedDict()

    def get(self, path: str) -> int | None:
        """A descriptor of the file that now has this name; a file that was replaced is opened again.

        Returns:
            None if it is not a regular file, whose bytes could be read in any order.
        """
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        key = (path, status.st_dev, status.st_ino)
        if key not in self.files:
            while len(self.files) >= _most_files():
                self.files.popitem(last=False)
            self.files[key] = self._opened(path)
        self.files.move_to_end(key)
        return self.files[key].number

    def _opened(self, path: str) -> _Descriptor:
        """Open a file; if the system has no more handles, close those that were used least recently."""
        while True:
            try:
                return _Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as exc:
                if not no_handles(exc) or not self.files:
                    raise
                self.files.popitem(last=False)


def _most_files() -> int:
    """The most files that a thread keeps open: the process needs handles for other things too."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _OPEN_FILES if limit == resource.RLIM_INFINITY else max(1, min(_OPEN_FILES, limit // _SHARE))


_open_files = _OpenFiles()


def _stored(rxfilename: str) -> StoredMatrix | None:
    """The matrix, if the name means an offset in a file and the matrix is binary."""
    name, ranges = split_range(rxfilename)
    file = parse_rxfilename(name)
    if ranges != (None, None) or file.kind != "file":
        return None
    try:
        descriptor = _open_files.get(file.target)
        return None if descriptor is None else stored_matrix(descriptor, file.offset)
    except (OSError, ValueError, OverflowError) as exc:  # a zero byte in the name; an offset beyond 63 bits
        raise KaldiError(f"cannot open to read: {why(exc)}") from exc


def _check_rows(start: int, stop: int, rows: int, name: str = "") -> None:
    if not 0 <= start <= stop <= rows:
        raise KaldiError(f"{name}rows {start} to {stop} (excluded) are wanted, there are {rows}")
