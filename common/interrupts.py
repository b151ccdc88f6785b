"""The signals that ask a program to end, and what a second one means."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

# Ctrl-C; kill, timeout and SLURM; a closed terminal; what a scheduler is set to send before the time is over.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# One request may come twice: timeout(1) signals its child and then the child's group. A later signal is another one.
AGAIN_SECONDS = 1.0
# Below the guard of a run a second signal is mostly the first one, passed on late by a busy machine. When a second
# request comes, the guard kills everything itself.
LATE_SECONDS = 15.0

Handlers = dict[int, Callable[[int, FrameType | None], object] | int | None]


def ending_signals() -> list[signal.Signals]:
    """ENDING without SIGHUP where it is ignored, as under nohup."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in ENDING if not (ignored and number == signal.SIGHUP)]


def when_asked_to_end(first: Callable[[int], None], again: Callable[[int], None]) -> Handlers:
    """Call `first` with the number of the first signal that asks to end, and `again` with that of each later request.

    Returns:
        The handlers before, for `restore`.
    """
    begun: list[float] = []

    def receive(number: int, _: FrameType | None) -> None:
        """Call `first` once, and `again` for signals that are not a late copy of the first."""
        now = time.monotonic()
        if not begun:
            begun.append(now)
            first(number)
        elif now - begun[0] >= LATE_SECONDS:
            again(number)

    return {number: signal.signal(number, receive) for number in ending_signals()}


def restore(handlers: Handlers) -> None:
    """Put back the handlers that `when_asked_to_end` returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
