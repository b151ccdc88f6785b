"""A bounded stream of bytes between two threads, which behaves as a pipe does.

The writer waits if it is full, the reader if it is empty. If the reader has closed, writing raises BrokenPipeError; if
the writer has closed, the reader comes to the end.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_CAPACITY_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 16


class Channel:
    """The bytes that were written and not yet read, and the state of both ends."""

    def __init__(self, capacity: int = _CAPACITY_BYTES) -> None:
        self._capacity = capacity
        self._blocks: deque[memoryview] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._writer_closed = False
        self._reader_closed = False

    def put(self, data: bytes) -> None:
        """Add `data`; waits while the channel is full.

        Raises:
            BrokenPipeError: the reader has closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._reader_closed or self._held < self._capacity)
            if self._reader_closed:
                raise BrokenPipeError("the reader has closed the pipe")
            self._blocks.append(memoryview(data))
            self._held += len(data)
            self._changed.notify_all()

    def take(self, buffer: memoryview) -> int:
        """Fill a part of `buffer`; waits while the channel is empty. 0: the writer has closed."""
        with self._changed:
            if not self._wait_for_data():
                return 0
            block = self._blocks.popleft()
            count = min(len(block), len(buffer))
            buffer[:count] = block[:count]
            if count < len(block):
                self._blocks.appendleft(block[count:])
            self._held -= count
            self._changed.notify_all()
            return count

    def at_end(self) -> bool:
        """Whether no more bytes will come; waits until that is known."""
        with self._changed:
            return not self._wait_for_data()

    def close_writer(self) -> None:
        """Announce that no more data comes."""
        with self._changed:
            self._writer_closed = True
            self._changed.notify_all()

    def close_reader(self) -> None:
        """Announce that nothing more is read: the writer's next `put` fails."""
        with self._changed:
            self._reader_closed = True
            self._blocks.clear()
            self._changed.notify_all()

    def _wait_for_data(self) -> bool:
        self._changed.wait_for(lambda: bool(self._blocks) or self._writer_closed)
        return bool(self._blocks)


class ChannelReader(io.RawIOBase):
    """The reading end as a raw stream."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._count = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Some bytes; 0 at the end."""
        got = self._channel.take(memoryview(buffer).cast("B"))
        self._count += got
        return got

    def tell(self) -> int:
        """Bytes read so far, for messages."""
        return self._count

    def at_end(self) -> bool:
        """Whether the writer has closed and everything has been read."""
        return self._channel.at_end()

    def close(self) -> None:
        """Close; the writer's next write fails."""
        if not self.closed:
            super().close()
            self._channel.close_reader()


class ChannelWriter(io.RawIOBase):
    """The writing end as a raw stream."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write all of `data`."""
        block = bytes(data)  # the caller reuses its buffer
        self._channel.put(block)
        return len(block)

    def buffered(self) -> io.BufferedWriter:
        """This end with a buffer for small writes."""
        return io.BufferedWriter(self, _BUFFER_BYTES)

    def close(self) -> None:
        """Close; the reader comes to the end."""
        if not self.closed:
            super().close()
            self._channel.close_writer()
