"""Reading and writing single objects by extended file name, with ranges.

Source: Kaldi util/kaldi-io.h (ReadKaldiObject, WriteKaldiObject) and kaldi-holder.cc (ExtractObjectRange).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from common.errors import KaldiError
from common.log import warning
from minikaldi.io.context import StreamContext
from minikaldi.io.holders import Holder, MatrixHolder
from minikaldi.io.matrices import converted
from minikaldi.io.opening import go_to, open_file, open_read, open_write
from minikaldi.io.places import naming, with_position
from minikaldi.io.primitives import Reader, show_key, show_name
from minikaldi.io.specifiers import FileName, Range, parse_rxfilename, split_range
from minikaldi.io.stored import stored_matrix

T = TypeVar("T")
# Segment times are rounded, and the last frames need a whole window: a range may end this many rows after the matrix.
_ROWS_TOLERANCE = 3


def read_object(rxfilename: str, holder: Holder[T], context: StreamContext | None = None) -> T:
    """Read one object from a file, a pipe or the standard input.

    Raises:
        KaldiError: it cannot be opened or read; the text names the file.
    """
    with ObjectReader(holder, context or StreamContext()) as objects:
        return objects.read(rxfilename)


def write_object(
    wxfilename: str, holder: Holder[T], value: T, binary: bool = True, context: StreamContext | None = None
) -> None:
    """Write one object to a file, a pipe or the standard output."""
    with naming(where(wxfilename, "standard output")), open_write(wxfilename, context) as stream:
        holder.write(stream, value, binary)


@runtime_checkable
class MatrixWithParts(Protocol):
    """A matrix that is not an array, such as one that stays compressed; a part of it can be taken."""

    shape: tuple[int, int]

    def part(self, rows: slice, cols: slice) -> Any:
        """Some rows and columns, in the same form."""


class ObjectReader(Generic[T]):
    """Reads objects by extended file name; the last archive stays open, since scripts name the same one many times."""

    def __init__(self, holder: Holder[T], context: StreamContext) -> None:
        self._holder = holder
        self._context = context
        self._path = ""
        self._stream: Reader | None = None

    def __enter__(self) -> ObjectReader[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive that is still open."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._path = None, ""

    def read(self, rxfilename: str, key: str = "", script: str = "") -> T:
        """Read an object.

        Args:
            rxfilename: extended file name, perhaps with a range.
            key: key of a script's entry, for errors.
            script: name of the script in errors.

        Raises:
            KaldiError: it cannot be opened or read, or its pipe fails.
        """
        try:
            name, (rows, cols) = split_range(rxfilename)
            if rows is None and cols is None:
                return self._read_whole(name, rxfilename)
            return self._read_part(name, rows, cols, rxfilename)
        except KaldiError as exc:
            raise KaldiError(f"{script}: key {show_key(key)}: {exc}" if key else str(exc)) from exc

    def _read_whole(self, rxfilename: str, shown_name: str) -> T:
        name = parse_rxfilename(rxfilename)
        if name.kind != "file":
            with open_read(rxfilename, self._context) as stream:
                return read_named(stream, self._holder, where(shown_name))
        return read_named(self._at(name), self._holder, where(shown_name))

    def _at(self, name: FileName) -> Reader:
        """The file at the offset; it is opened if it is not the one before."""
        if self._stream is None or name.target != self._path:
            self.close()
            self._stream, self._path = open_file(name.target, name.offset), name.target
        elif self._stream.tell() != name.offset:
            go_to(self._stream, name.target, name.offset)
        return self._stream

    def _read_part(self, rxfilename: str, rows: Range, cols: Range, shown_name: str) -> Any:
        """Read a part of an object; of a binary matrix in a file nothing else is read."""
        name = parse_rxfilename(rxfilename)
        stream = self._at(name) if name.kind == "file" and isinstance(self._holder, MatrixHolder) else None
        if stream is None or not stream.seekable():
            return _part_of(self._read_whole(rxfilename, shown_name), rows, cols, shown_name)
        try:
            stored = stored_matrix(stream.fileno(), name.offset)
            if stored is not None:
                return converted(stored.part(*_slices(stored.shape, rows, cols)), self._holder.dtype)
        except KaldiError as exc:
            raise KaldiError(f"{shown_name}: {exc}") from exc
        return _part_of(self._read_whole(rxfilename, shown_name), rows, cols, shown_name)


def read_named(stream: Reader, holder: Holder[T], name: str, key: str = "") -> T:
    """Read the object that starts here.

    Args:
        stream: where it starts.
        holder: reader of the object.
        name: name of the stream in errors.
        key: key of an archive's entry, for errors.

    Raises:
        KaldiError: it cannot be read.
    """
    try:
        return holder.read(stream)
    except (KaldiError, OSError) as exc:
        place = f"{name}: key {show_key(key)}" if key else name
        if isinstance(exc, KaldiError):
            raise KaldiError(f"{place}: {with_position(exc, stream)}") from exc
        raise KaldiError(f"{place}: cannot read: {exc.strerror or exc}") from exc  # of the disk or file server


def _part_of(value: Any, rows: Range, cols: Range, rxfilename: str) -> Any:
    try:
        return extract_range(value, rows, cols)
    except KaldiError as exc:
        raise KaldiError(f"{rxfilename}: {exc}") from exc


def extract_range(value: Any, rows: Range, cols: Range) -> Any:
    """Rows and columns of a matrix, elements of a vector; both ends included.

    Raises:
        KaldiError: the range exceeds the object by more than Kaldi's tolerance, or the object is not an array.
    """
    if isinstance(value, MatrixWithParts):
        return value.part(*_slices(value.shape, rows, cols))
    if not isinstance(value, np.ndarray) or (value.ndim == 1 and cols is not None):
        raise KaldiError("a range can be taken of a matrix (rows,columns) or a vector only")
    return value[_slices(value.shape, rows, cols)].copy()  # a view would keep the whole array in memory


def _slices(shape: tuple[int, ...], rows: Range, cols: Range) -> tuple[slice, ...]:
    """The ranges as slices of an array of this shape."""
    wanted = _slice(rows, shape[0], "row", _ROWS_TOLERANCE)
    return (wanted,) if len(shape) == 1 else (wanted, _slice(cols, shape[1], "column", 0))


def _slice(wanted: Range, size: int, what: str, tolerance: int) -> slice:
    if wanted is None:
        return slice(None)
    first, last = wanted
    if first >= size or last >= size + tolerance:
        raise KaldiError(f"the {what} range {first}:{last} is outside of 0:{size - 1}")
    if last >= size:
        warning(f"the {what} range {first}:{last} ends after the last {what} {size - 1} and is cut there")
    return slice(first, min(last, size - 1) + 1)


def where(filename: str, standard: str = "standard input") -> str:
    """The name of a file in messages; `standard` for '' and '-'."""
    return standard if filename in ("", "-") else show_name(filename)
