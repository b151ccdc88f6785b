"""A signal that asks to end as a flag, so that a program can finish what it is doing and save."""

from __future__ import annotations

import os
import signal

from common.interrupts import Handlers, restore, when_asked_to_end


class Interrupts:
    """While entered, the first signal that asks to end sets `received`; one a second later acts as it did before."""

    def __init__(self) -> None:
        self.received = 0
        self._before: Handlers = {}

    @property
    def name(self) -> str:
        """Name of the signal."""
        return signal.Signals(self.received).name

    def __enter__(self) -> Interrupts:
        self._before = when_asked_to_end(self._receive, self._act)
        return self

    def __exit__(self, *_: object) -> None:
        restore(self._before)

    def _receive(self, number: int) -> None:
        self.received = number

    def _act(self, number: int) -> None:
        restore(self._before)
        os.kill(os.getpid(), number)
