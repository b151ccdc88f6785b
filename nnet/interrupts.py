"""SIGINT and SIGTERM as a flag, so that a program can finish what it is doing and save."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupts:
    """While entered, the first SIGINT or SIGTERM sets `received`; a second one acts as it did before."""

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, signal.Handlers | int | None] = {}

    @property
    def name(self) -> str:
        """Name of the signal."""
        return signal.Signals(self.received).name

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}  # type: ignore[misc]
        for number in self._before:
            signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
