"""A progress line with the time left, for loops that may take more than ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO


def format_seconds(seconds: float) -> str:
    """`3:10`, or `2:03:10` from an hour on."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Prints `<what>: 300/2000 (15 %), 42/s, left 0:40` to stderr, at most once in `every` seconds.

    On a terminal the line is rewritten in place each half second. The first line comes after one interval: a short
    loop prints nothing.

    Args:
        what: what is being done.
        total: how many units there are; 0 where that is not known.
        unit: what is counted, as in `42 utterances/s`.
        every: seconds between lines; by default 0.5 on a terminal and 10 elsewhere.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        every: float | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self._stream = sys.stderr if stream is None else stream
        self._tty = self._stream.isatty()
        self._every = every if every is not None else (0.5 if self._tty else 10.0)
        self._clock = clock
        self._start = self._last = clock()
        self._printed = False
        self.done = 0

    def update(self, count: int = 1) -> None:
        """Count `count` more units and print a line when one is due."""
        self.done += count
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._print(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        """The line after `seconds` of work."""
        rate = self.done / seconds if seconds > 0 else 0.0
        speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
        if not self.total:
            return f"{self.what}: {self.done}, {speed} {self.unit}/s"
        left = format_seconds((self.total - self.done) / rate) if rate else "unknown"
        share = 100 * self.done / self.total
        return f"{self.what}: {self.done}/{self.total} ({share:.0f} %), {speed} {self.unit}/s, left {left}"

    def close(self) -> None:
        """End the line that is rewritten in place, if there is one."""
        if self._tty and self._printed:
            self._stream.write("\n")
            self._stream.flush()

    def _print(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}" if self._tty else f"{line}\n")
        self._stream.flush()
        self._printed = True
