"""Reading a table from its first entry to its last, in bounded memory.

Source: Kaldi util/kaldi-table-inl.h (SequentialTableReader).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, TypeVar

from common.errors import KaldiError
from common.log import warning
from common.text_lines import LineEnds
from minikaldi.io.context import StreamContext
from minikaldi.io.entries import archive_entries, buffer_bytes
from minikaldi.io.holders import Holder
from minikaldi.io.objects import ObjectReader, where
from minikaldi.io.opening import open_read
from minikaldi.io.primitives import Reader, excerpt
from minikaldi.io.read_ahead import ReadAhead
from minikaldi.io.specifiers import Rspecifier, parse_rspecifier, parse_script_line

T = TypeVar("T")
CARRIAGE_RETURN = ord("\r")


def sequential(rspecifier: str, holder: Holder[T], context: StreamContext | None = None) -> SequentialReader[T]:
    """Open a table to iterate over once: ``with sequential("scp:feats.scp", FLOAT_MATRIX) as feats``.

    Args:
        rspecifier: the table.
        holder: reader of its objects.
        context: the standard streams, and whether pipes are allowed; None: the process's own streams.

    Raises:
        KaldiError: the table cannot be opened; while iterating, an entry cannot be read (with the option `p` that is a
            warning, and the entry of a script, or the rest of an archive, is skipped).
    """
    return SequentialReader(rspecifier, holder, context or StreamContext())


class SequentialReader(Generic[T]):
    """An open table; a context manager and an iterator of (key, value)."""

    def __init__(self, rspecifier: str, holder: Holder[T], context: StreamContext) -> None:
        self._spec = parse_rspecifier(rspecifier)
        self._holder = holder
        self._open = ExitStack()
        self._stream: Reader = self._open.enter_context(open_read(self._spec.rxfilename, context, buffer_bytes(holder)))
        context.note_table(self._stream)
        self._entries: Iterator[tuple[str, T]] = self._archive_entries()
        if self._spec.kind == "scp":
            self._entries = self._script_entries(self._open.enter_context(ObjectReader(holder, context)))
        if self._spec.background:
            self._entries = ahead = ReadAhead(self._entries)
            self._open.callback(ahead.close)

    def __enter__(self) -> SequentialReader[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return self._entries

    def close(self) -> None:
        """Close files and check the exit codes of pipes (with `p`, one that failed is a warning)."""
        close_table(self._open, self._spec)

    def _archive_entries(self) -> Iterator[tuple[str, T]]:
        name = where(self._spec.rxfilename)
        try:
            yield from archive_entries(self._stream, self._holder, name)
        except KaldiError as exc:
            if not self._spec.permissive:
                raise
            warning(f"{exc}; the rest of the archive is skipped")

    def _script_entries(self, objects: ObjectReader[T]) -> Iterator[tuple[str, T]]:
        name = where(self._spec.rxfilename)
        for key, rxfilename in script_lines(self._stream, self._spec.rxfilename):
            try:
                value = objects.read(rxfilename, key, name)
            except KaldiError as exc:
                if not self._spec.permissive:
                    raise
                warning(str(exc))
                continue
            yield key, value


def close_table(opened: ExitStack, spec: Rspecifier) -> None:
    """Close the streams of a table.

    Raises:
        KaldiError: a pipe that was read to its end has failed; with the option `p` that is a warning.
    """
    try:
        opened.close()
    except KaldiError as exc:
        if not spec.permissive:
            raise
        warning(str(exc))


def script_lines(stream: Reader, rxfilename: str) -> Iterator[tuple[str, str]]:
    """(key, extended file name) of each line of a script file, with a warning if the last line has no end."""
    name, ends, line = where(rxfilename), LineEnds(where(rxfilename), KaldiError), b"\n"
    for number, line in enumerate(stream, 1):
        if number == 1:
            line = ends.without_mark(line)
        entry = parse_script_line(line, name, number)
        if line[-2] == CARRIAGE_RETURN:  # a line that could be read has three bytes at least
            ends.note(line)
        yield entry
    if not line.endswith(b"\n"):
        warning(f"{name}: the last line, {excerpt(line)}, has no line end; truncated?")
