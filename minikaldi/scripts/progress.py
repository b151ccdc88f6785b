#!/usr/bin/env python3
"""Run a command and say how far it is: a line every ten seconds, or one line that is rewritten on a terminal.

    progress.py --label "stage 1: MFCC of train" --total 1200 --lines 'mfcc/raw_mfcc_train.*.scp' -- utils/run.pl ...
    progress.py --label "stage 6: training" --follow exp/a/log/train.log -- utils/run.pl ...

With --lines the lines of the growing files are counted against --total; with --follow the newest line of a log that speaks of
time left is shown. A command that ends within ten seconds prints nothing. The exit code is the command's.
"""

from __future__ import annotations

import argparse
import glob
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

FIRST_REPORT_SECONDS = 10.0
LOG_TAIL_BYTES = 4096


class LineCounter:
    """Counts the lines of files that grow, reading only what is new since the last look."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._seen: dict[str, tuple[int, int]] = {}

    def count(self) -> int:
        """Lines in all files that match the pattern now."""
        for name in glob.glob(self.pattern):
            offset, lines = self._seen.get(name, (0, 0))
            with Path(name).open("rb") as stream:
                stream.seek(offset)
                new = stream.read()
            self._seen[name] = (offset + len(new), lines + new.count(b"\n"))
        return sum(lines for _, lines in self._seen.values())


def clock(seconds: float) -> str:
    """75.2 -> "1:15", 3700 -> "1:01:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(counter: LineCounter, total: int, elapsed: float) -> str:
    """`812/1200, 68 %, left 0:21`; the time left is by the mean pace so far."""
    done = min(counter.count(), total)
    left = f"left {clock(elapsed * (total - done) / done)}" if done else "left unknown yet"
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
    """Wait for the child; report every ten seconds (every second on a terminal). Returns its exit code."""
    terminal = sys.stderr.isatty()
    interval = 1.0 if terminal else FIRST_REPORT_SECONDS
    started = time.monotonic()
    due, shown = FIRST_REPORT_SECONDS, False
    while True:
        try:
            code = child.wait(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
        if elapsed < due:
            continue
        due = elapsed + interval
        text = newest_report(report) if isinstance(report, str) else counted(report, total, elapsed)
        if text:
            sys.stderr.write(f"\r\033[K{label}: {text}" if terminal else f"{label}: {text}\n")
            sys.stderr.flush()
            shown = True
    if terminal and shown:
        sys.stderr.write("\r\033[K")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label", required=True, help="what is being done, e.g. the stage and the step")
    parser.add_argument("--total", type=int, default=0, help="how many lines there will be (with --lines)")
    parser.add_argument("--lines", metavar="GLOB", help="count the lines of these growing files")
    parser.add_argument("--follow", metavar="LOG", help="show the newest line of this log that tells the time left")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command to run")
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("no command given after --")
    if bool(arguments.lines) == bool(arguments.follow):
        parser.error("give one of --lines and --follow")
    report = LineCounter(arguments.lines) if arguments.lines else arguments.follow
    child = subprocess.Popen(command)

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    code = wait_and_report(child, arguments.label, report, arguments.total)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
