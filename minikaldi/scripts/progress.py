"""progress.py: run a command and say how far it is, every ten seconds, or in one line that is rewritten on a terminal.

    progress.py --label "stage 1: MFCC of train" --total 1200 --lines 'mfcc/raw_mfcc_train.*.scp' -- utils/run.pl ...
    progress.py --label "stage 6: training" --follow exp/a/log/train.log -- utils/run.pl ...

With --lines the lines of the growing files are counted against --total; with --follow the newest line of a log that
speaks of time left is shown, once. A command that ends within ten seconds prints nothing. The exit code is the
command's.
"""

from __future__ import annotations

import argparse
import glob
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from minikaldi.progress import LOG_SECONDS, ProgressLine, format_seconds
from minikaldi.scripts.cli import Parser

POLL_SECONDS = 0.2
LOG_TAIL_BYTES = 4096


class LineCounter:
    """Counts the lines of files that grow, reading only what is new since the last look."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._seen: dict[str, tuple[int, int]] = {}

    def count(self) -> int:
        """Lines in all files that match the pattern now."""
        for name in glob.glob(self.pattern):  # noqa: PTH207 (a pattern with folders, perhaps absolute)
            offset, lines = self._seen.get(name, (0, 0))
            with Path(name).open("rb") as stream:
                stream.seek(offset)
                new = stream.read()
            self._seen[name] = (offset + len(new), lines + new.count(b"\n"))
        return sum(lines for _, lines in self._seen.values())


def counted(counter: LineCounter, total: int, elapsed: float) -> str:
    """`812/1200, 68 %, left 0:21`; the time left is by the mean pace so far."""
    done = min(counter.count(), total)
    left = f"left {format_seconds(elapsed * (total - done) / done)}" if done else "left unknown yet"
    return f"{done}/{total}, {100 * done // max(total, 1)} %, {left}"


def newest_report(log: str) -> str:
    """The last line of a log that tells the time left, or "" before there is one."""
    path = Path(log)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if " left " in line), "")


def wait_and_report(child: subprocess.Popen[bytes], label: str, report: LineCounter | str, total: int) -> int:
    """Wait for the child, from ten seconds on with a progress line. Returns its exit code."""
    line = ProgressLine()
    started = time.monotonic()
    due = LOG_SECONDS
    while True:
        try:
            code = child.wait(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
        else:
            line.clear()
            return code
        if elapsed >= due:
            due = elapsed + line.interval
            text = newest_report(report) if isinstance(report, str) else counted(report, total, elapsed)
            if text:
                line.show(f"{label}: {text}")


def run_watched(command: Sequence[str], label: str, report: LineCounter | str, total: int) -> int:
    """Run the command, pass SIGINT and SIGTERM on to it. Returns the exit code that a shell would give."""
    child = subprocess.Popen(command)

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    code = wait_and_report(child, label, report, total)
    return 128 - code if code < 0 else code


def main(argv: Sequence[str]) -> int:
    """Command line of utils/progress.py."""
    parser = Parser("progress.py --label TEXT (--total N --lines GLOB | --follow LOG) -- <command> ...", __doc__ or "")
    parser.add_argument("--label", required=True, help="what is being done, e.g. the stage and the step")
    parser.add_argument("--total", type=int, default=0, help="how many lines there will be (with --lines)")
    parser.add_argument("--lines", metavar="GLOB", help="count the lines of these growing files")
    parser.add_argument("--follow", metavar="LOG", help="show the newest line of this log that tells the time left")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command to run")
    arguments = parser.parse_args(argv)  # not parse(): the command's words stay as they are
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("no command given after --")
    if bool(arguments.lines) == bool(arguments.follow):
        parser.error("give one of --lines and --follow")
    report = LineCounter(arguments.lines) if arguments.lines else arguments.follow
    return run_watched(command, arguments.label, report, arguments.total)
