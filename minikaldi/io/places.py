"""Positions in a stream, for error messages: `feats.ark: key utt3: byte 12034: …`.

The position is the offset in a file (for a script's entry too), and in a pipe or the standard input the number of bytes
before it. Nothing is counted without an error: a stream is asked for its position when the error is made. An error
names the byte at which the unreadable thing begins.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakSet

from common.errors import KaldiError
from common.text_lines import LineEnds

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 1 << 16
_noted: WeakSet[io.BufferedReader] = WeakSet()  # streams whose line ends were reported


class MalformedError(KaldiError):
    """Malformed bytes; the text begins with their position."""


def malformed(stream: io.BufferedReader, text: str, back: int = 0) -> MalformedError:
    """The error for something that begins `back` bytes before the next byte; the caller raises it.

    A holder may raise a plain KaldiError instead: its text then gets the position at which the reading stopped.
    """
    return MalformedError(f"{_place(stream, back)}{text}")


def with_position(error: KaldiError, stream: io.BufferedReader) -> str:
    """The text of an error, after the stream's position if it has none yet."""
    return str(error) if isinstance(error, MalformedError) else f"{_place(stream)}{error}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Report a write that fails (a full disk) with the name of the file; a broken pipe passes unchanged.

    Raises:
        KaldiError: a write failed.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise KaldiError(f"{name}: cannot write: {exc.strerror}") from exc


def place_of(stream: io.BufferedReader) -> int | None:
    """The number of bytes before the next one; None if the stream is closed or does not know it."""
    try:
        place = stream.tell()
    except (OSError, ValueError):
        return None
    return place if place >= 0 else None  # a device is always at byte 0, less the bytes in the buffer


def _place(stream: io.BufferedReader, back: int = 0) -> str:
    at = place_of(stream)
    return "" if at is None else f"byte {at - back}: "


@lru_cache(maxsize=1)
def counted_stdin(stdin: io.BufferedReader) -> io.BufferedReader:
    """The process's standard input; if it is a pipe, which does not know its position, its bytes are counted.

    All readers share one stream: with one each, every reader would keep a part of the bytes in its own buffer.
    """
    return stdin if stdin.seekable() else io.BufferedReader(CountingRaw(stdin, closing=False), _BUFFER_BYTES)


def note_carriage_return(stream: io.BufferedReader) -> None:
    """Report, once for each stream, that lines of a text table end in CR LF."""
    if stream not in _noted:
        _noted.add(stream)
        name = stream.raw.name if isinstance(stream.raw, io.FileIO) else ""  # a pipe's stream has no name
        LineEnds(name if isinstance(name, str) and name else "the table", KaldiError).note(b"\r\n")


def counted_file(stream: io.BufferedReader) -> io.BufferedReader:
    """A file that was opened by name; the bytes of a named pipe are counted. Closing the result closes the file."""
    return stream if stream.seekable() else io.BufferedReader(CountingRaw(stream, closing=True), _BUFFER_BYTES)


class CountingRaw(io.RawIOBase):
    """A stream that does not know its position, with its bytes counted by the block.

    Args:
        stream: nothing in its buffer is lost.
        closing: whether closing this closes it.
    """

    def __init__(self, stream: io.BufferedReader, closing: bool) -> None:
        self._stream = stream
        self._closing = closing
        self._count = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Some bytes; 0 at the end."""
        got = self._stream.readinto1(buffer)
        self._count += got
        return got

    def tell(self) -> int:
        """Bytes read so far."""
        return self._count

    def close(self) -> None:
        """Close the stream, if `closing` was set."""
        if not self.closed:
            super().close()
            if self._closing:
                self._stream.close()
