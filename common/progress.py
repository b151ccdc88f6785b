"""The progress of a loop and its remaining time, on stderr; short work prints nothing. Standard library only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")

LOG_SECONDS = 10.0
TERMINAL_SECONDS = 0.5


def format_seconds(seconds: float) -> str:
    """`3:10`, or `2:03:10` from an hour on."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """An estimate as text: `about 40 s`, `about 9 min`, `about 2 h 10 min`."""
    if seconds < 55:
        return f"about {max(1, round(seconds, -1 if seconds >= 10 else 0)):.0f} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {minutes} min"
    hours, minutes = divmod(round(minutes, -1), 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


class ProgressLine:
    """A line that changes: rewritten in place on a terminal, else a new line for each change.

    Args:
        stream: where it is printed; None: stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self.on_terminal = self._stream.isatty()
        self._shown = ""

    @property
    def interval(self) -> float:
        """Seconds between two lines."""
        return TERMINAL_SECONDS if self.on_terminal else LOG_SECONDS

    def show(self, text: str) -> None:
        """Print the text, unless it was printed last."""
        if text == self._shown:
            return
        self._shown = text
        self._stream.write(f"\r\x1b[K{text}" if self.on_terminal else f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line from the terminal; a log keeps its lines."""
        if self.on_terminal and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


class Progress:
    """Prints `<what>: 300/2000 (15 %), 42 utterances/s, left 0:40`, the first time after one interval.

    Args:
        what: name of the work.
        total: number of units; 0 if it is not known.
        unit: name of the units, as in `42 utterances/s`.
        stream: where the line is printed; None: stderr.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self._line, self._clock = ProgressLine(stream), clock
        self._start = self._last = clock()
        self.done = 0

    def update(self, count: int = 1) -> None:
        """Count `count` more units, and print a line if the interval has passed."""
        self.done += count
        now = self._clock()
        if now - self._last >= self._line.interval:
            self._last = now
            self._line.show(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        """The line after `seconds` of work; the remaining time is estimated from the mean rate so far."""
        rate = self.done / seconds if seconds > 0 else 0.0
        speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
        if not self.total:
            return f"{self.what}: {self.done}, {speed} {self.unit}/s"
        left = format_seconds((self.total - self.done) / rate) if rate else "unknown"
        share = 100 * self.done / self.total
        return f"{self.what}: {self.done}/{self.total} ({share:.0f} %), {speed} {self.unit}/s, left {left}"

    def close(self) -> None:
        """Remove the line from the terminal."""
        self._line.clear()


def with_progress(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """Yield the items, and count each when the next one is requested."""
    progress = Progress(what, total, unit)
    try:
        for item in items:
            yield item
            progress.update()
    finally:
        progress.close()
