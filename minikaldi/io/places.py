"""Where in a stream something stands, so that an error can say it: `feats.ark: key utt3: byte 12034: …`.

The place is the offset in a file (for a script's entry too), and in a pipe or the standard input the number of bytes
before it. Nothing is counted while all is well: a stream is asked for its place when an error is made. What stands
where a reader gave up is told as the place where that thing begins.
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
    """Bytes that are not what they should be; the text begins with their place."""


def malformed(stream: io.BufferedReader, text: str, back: int = 0) -> MalformedError:
    """The error for something that begins `back` bytes before the next byte to be read; to be raised by the caller.

    A reader of one's own need not use it: an object's reader that raises a plain KaldiError gets the place where it
    stopped.
    """
    return MalformedError(f"{_place(stream, back)}{text}")


def told_with_place(error: KaldiError, stream: io.BufferedReader) -> str:
    """The error's text, with the stream's place before it where it has none."""
    return str(error) if isinstance(error, MalformedError) else f"{_place(stream)}{error}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Lets a full disk be known with the name of the file; a broken pipe goes on as it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise KaldiError(f"{name}: cannot write: {exc.strerror}") from exc


def place_of(stream: io.BufferedReader) -> int | None:
    """The bytes before the next one to be read; None of a caller's stream that cannot tell, or is closed."""
    try:
        place = stream.tell()
    except (OSError, ValueError):
        return None
    return place if place >= 0 else None  # a device is always at its byte 0, and what is buffered comes off


def _place(stream: io.BufferedReader, back: int = 0) -> str:
    at = place_of(stream)
    return "" if at is None else f"byte {at - back}: "


@lru_cache(maxsize=1)
def counted_stdin(stdin: io.BufferedReader) -> io.BufferedReader:
    """The process's standard input, counted where it is a pipe, which cannot tell its place.

    One for all who ask: each would else keep a part of the bytes in a buffer of its own.
    """
    return stdin if stdin.seekable() else io.BufferedReader(CountingRaw(stdin, closing=False), _BUFFER_BYTES)


def note_carriage_return(stream: io.BufferedReader) -> None:
    """Report that lines of a text table end in CR LF: once for each stream."""
    if stream not in _noted:
        _noted.add(stream)
        name = stream.raw.name if isinstance(stream.raw, io.FileIO) else ""  # a pipe's stream has no name
        LineEnds(name if isinstance(name, str) and name else "the table", KaldiError).note(b"\r\n")


def counted_file(stream: io.BufferedReader) -> io.BufferedReader:
    """A file that was opened by name, counted where it is a named pipe; closing the result closes it."""
    return stream if stream.seekable() else io.BufferedReader(CountingRaw(stream, closing=True), _BUFFER_BYTES)


class CountingRaw(io.RawIOBase):
    """The bytes of a stream that cannot tell its place, counted by the block.

    Args:
        stream: nothing that it has buffered is lost.
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
        """Close the stream, if that was wanted."""
        if not self.closed:
            super().close()
            if self._closing:
                self._stream.close()
