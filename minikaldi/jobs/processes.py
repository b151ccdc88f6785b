"""The processes of this machine, as /proc shows them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that has not ended.

    Attributes:
        pid: its number.
        group: number of its process group.
    """

    pid: int
    group: int

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended in the meantime."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def living() -> Iterator[Process]:
    """All processes that have not ended, in the order of their numbers, parents mostly first."""
    for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):  # it has ended since
            state, _, group = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
            if state not in "ZX":  # a zombie has ended, even if its exit code was not fetched yet
                yield Process(pid, int(group))


def marked(name: str, value: str) -> list[Process]:
    """Processes that were started with this mark in a variable of their environment, or forked by such a process.

    Args:
        name: of the variable.
        value: the mark. What a marked process starts may put its own mark before it, with a slash between them; then
            the first of them counts.
    """
    mark, start, found = value.partition("/")[0].encode(), f"{name}=".encode(), []
    for process in living():
        with contextlib.suppress(OSError):  # another user's, or it has ended since
            lines = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if any(line.startswith(start) and mark in line[len(start) :].split(b"/") for line in lines):
                found.append(process)
    return found


def group_is_alive(group: int) -> bool:
    """Whether a process of the group has not ended."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return any(process.group == group for process in living())
