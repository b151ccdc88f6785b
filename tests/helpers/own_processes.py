"""Processes that a test started, directly or not, found by a variable in their environment."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path

NAME = "TEST_MARK"
DEADLINE_S = 300  # for what takes moments on an idle machine


def new_mark() -> dict[str, str]:
    """The variable, to be added to the environment of what is started."""
    return {NAME: uuid.uuid4().hex}


def carrying(mark: dict[str, str]) -> dict[int, str]:
    """The living processes that have the variable: pid -> command line."""
    line, found = f"{NAME}={mark[NAME]}".encode(), {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # another user's, or it has ended
            if entry.name.isdigit() and line in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return found


def wait_until(there: Callable[[], object], what: str) -> None:
    """Wait for something that is to come about."""
    deadline = time.monotonic() + DEADLINE_S
    while not there():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.01)
