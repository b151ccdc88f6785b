"""How much memory the processes of a run need at most, stage by stage, as the guard sees them.

About twice a second the guard adds up the proportional set sizes (PSS: a page that n processes share counts 1/n for
each) of the script and of all processes below it. It follows /proc/<pid>/task/<tid>/children, so that thousands of
other processes on the machine cost nothing. The largest sum since the last reset is in a file without a name, which the
processes of the run open as /proc/<guard>/fd/<n>; pipeline.sh empties it when a stage begins, and reads it at its end.

Linux only. Memory of jobs on other machines, and of processes that left the tree (their parent has ended), is not seen.
Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PEAK_FILE = "PIPELINE_MEMORY"
"""The variable that holds the path of the file; empty if nothing is measured."""

PAUSE_SECONDS = 0.5
MOST_SHARE = 0.02
"""Of the guard's time, at most: if samples take long, they are fewer."""

NEEDED = ("smaps_rollup", "children")
"""Files of /proc; some kernels and sandboxes lack them."""

LOCAL_RUNNER = "run.pl"


class PeakMemory:
    """The largest memory of a tree of processes, in bytes, kept in a file that others may empty.

    Attributes:
        path: of the file; "" if this system has no such measurement.
        pause_seconds: how long to wait until the next sample.
    """

    def __init__(self) -> None:
        self.path, self.pause_seconds = "", PAUSE_SECONDS
        self._file = -1
        if sys.platform == "linux" and all(Path("/proc/thread-self", name).exists() for name in NEEDED):
            with contextlib.suppress(OSError):  # a sandbox may forbid it
                self._file = os.memfd_create("pipeline-peak-memory")
                self.path = f"/proc/{os.getpid()}/fd/{self._file}"

    def sample(self, root: int) -> None:
        """Measure a process and all below it, and write the sum down if it is the largest since the last reset."""
        if not self.path:
            return
        begin = time.monotonic()
        now = sum(map(proportional_bytes, process_tree(root)))
        with contextlib.suppress(OSError, ValueError):
            if now > int(os.pread(self._file, 32, 0) or b"0"):
                os.pwrite(self._file, b"%d\n" % now, 0)  # never shorter than the number that it replaces
        self.pause_seconds = max(PAUSE_SECONDS, (time.monotonic() - begin) / MOST_SHARE)


def process_tree(root: int) -> Iterator[int]:
    """A process and all that it has started, directly or not, as far as their parents live."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        with contextlib.suppress(OSError):  # it has ended since
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone
                with contextlib.suppress(OSError):
                    children = Path(f"/proc/{pid}/task/{thread}/children").read_bytes()
                    waiting += map(int, children.split())


def proportional_bytes(pid: int) -> int:
    """The proportional set size of a process; 0 if it has ended."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def peak_mb(path: str, commands: str) -> float | None:
    """The peak of a stage in units of 10^6 bytes; None if it is not known.

    Args:
        path: value of PIPELINE_MEMORY.
        commands: what ran the stage's jobs, one a line: `utils/run.pl`, `slurm.pl --mem 2G`.
    """
    runners = [line.split()[0] for line in commands.splitlines() if line.split()]
    if not path or any(Path(runner).name != LOCAL_RUNNER for runner in runners):
        return None
    try:
        written = Path(path).read_bytes()
        return round(int(written) / 1e6, 1) if written else None
    except (OSError, ValueError):
        return None
