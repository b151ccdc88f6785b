"""Reading a table from its first entry to its last, in bounded memory.

Source: Kaldi util/kaldi-table-inl.h (SequentialTableReader).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, TypeVar

from minikaldi.errors import KaldiError
from minikaldi.io.context import Context
from minikaldi.io.holders import Holder
from minikaldi.io.objects import ObjectReader, read_named, where
from minikaldi.io.opening import open_read
from minikaldi.io.places import malformed
from minikaldi.io.primitives import Reader, decode, encode, read_word, show, show_key, skip_space
from minikaldi.io.read_ahead import ReadAhead
from minikaldi.io.specifiers import Rspecifier, parse_rspecifier, parse_script_line
from minikaldi.log import warning

T = TypeVar("T")
_PLAIN_KEY = re.compile(rb"[^ \t\n\r\f\v]+[ \t]")


def sequential(rspecifier: str, holder: Holder[T], context: Context | None = None) -> SequentialReader[T]:
    """A table to be iterated once: ``with sequential("scp:feats.scp", FLOAT_MATRIX) as feats: for key, matrix in
    feats: …``

    Raises:
        KaldiError: the table cannot be opened; while iterating, an entry that cannot be read (with `p`: a warning, and
            in a script the entry is passed over, in an archive the rest).
    """
    return SequentialReader(rspecifier, holder, context or Context())


class SequentialReader(Generic[T]):
    """An open table; a context manager and an iterator of (key, value)."""

    def __init__(self, rspecifier: str, holder: Holder[T], context: Context) -> None:
        self._spec = parse_rspecifier(rspecifier)
        self._holder = holder
        self._open = ExitStack()
        self._stream: Reader = self._open.enter_context(open_read(self._spec.rxfilename, context))
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
            while key := next_key(self._stream, name):
                yield key, read_entry(self._stream, self._holder, name, key)
        except KaldiError as exc:
            if not self._spec.permissive:
                raise
            warning(f"{exc}; the rest of the archive is passed over")

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
    """Close what a table had open.

    Raises:
        KaldiError: a pipe that had been read to its end has failed; with `p` that is a warning.
    """
    try:
        opened.close()
    except KaldiError as exc:
        if not spec.permissive:
            raise
        warning(str(exc))


def script_lines(stream: Reader, rxfilename: str) -> Iterator[tuple[str, str]]:
    """(key, extended file name) of each line of a script file; a last line without an end is warned of."""
    name, line = where(rxfilename), b"\n"
    for number, line in enumerate(stream, 1):
        yield parse_script_line(line, f"{name}:{number}")
    if not line.endswith(b"\n"):
        warning(f"{name}: the last line, {show(line)}, has no line end; truncated?")


def next_key(stream: Reader, name: str) -> str:
    """The next key of an archive, its following blank passed over; '' at the end."""
    if plain := _PLAIN_KEY.match(stream.peek(1)):  # nearly always; the rest is for what is split or strange
        return decode(stream.read(plain.end())[:-1])
    if not skip_space(stream):
        return ""
    try:
        key = read_word(stream)
    except KaldiError as exc:
        raise KaldiError(f"{name}: {exc}") from exc
    after = stream.peek(1)[:1]
    if after not in (b" ", b"\t", b"\n"):
        said = f"the archive ends after {show(key)}" if not after else f"found {after!r} after the key {show(key)}"
        fault = malformed(stream, f"{said}, expected a space and an object: truncated?", back=len(encode(key)))
        raise KaldiError(f"{name}: {fault}")
    if after != b"\n":  # an empty line's end belongs to its (empty) object
        stream.read(1)
    return key


def read_entry(stream: Reader, holder: Holder[T], name: str, key: str) -> T:
    """The object after the key; errors name the archive and the key."""
    return read_named(stream, holder, f"{name}: key {show_key(key)}")
