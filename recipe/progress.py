"""progress.py: run a command and report its progress every ten seconds; on a terminal, in one line that is rewritten.

    progress.py --label "stage 1: MFCC of train" --total 1200 --lines 'mfcc/raw_mfcc_train.*.scp' -- utils/run.pl ...
    progress.py --label "stage 6: training" --follow exp/a/log/train.log --announce "expected: " -- utils/run.pl ...

--lines counts the lines of files that grow, and compares the number with --total.
--follow shows the newest line of a log that says how much time is left.
--announce shows the first line of that log that begins with WORDS, without them, as soon as it is there.

Other lines appear only after ten seconds. The exit code is that of the command.
"""

from __future__ import annotations

import argparse
import glob
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common.interrupts import when_asked_to_end
from common.program import Parser
from common.progress import LOG_SECONDS, ProgressLine, format_seconds

POLL_SECONDS = 0.2
LOG_TAIL_BYTES = 4096
LOG_HEAD_BYTES = 1 << 16


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


def counted_lines(counter: LineCounter, total: int, elapsed: float) -> str:
    """`812/1200, 68 %, left 0:21`; the time left is by the mean pace so far."""
    done = min(counter.count(), total)
    left = f"left {format_seconds(elapsed * (total - done) / done)}" if done else "left unknown yet"
    return f"{done}/{total}, {100 * done // max(total, 1)} %, {left}"


def newest_report(log: str) -> str:
    """The last line of a log that says how much time is left; "" if there is none yet."""
    path = Path(log)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if " left " in line), "")


class Announcement:
    """Shows the first line of a log that begins with some words, once; what an earlier command wrote does not count.

    Args:
        log: the file.
        words: how the line begins; "" if nothing is announced.
    """

    def __init__(self, log: str, words: str) -> None:
        self._log, self._words = Path(log), words
        self._earlier = self._time()

    def look(self, label: str, line: ProgressLine) -> None:
        """Show the line if it is there now, after the label."""
        if not self._words or self._time() in (None, self._earlier):
            return
        with self._log.open("rb") as stream:
            text = stream.read(LOG_HEAD_BYTES).decode("utf-8", "replace")
        whole = text[: text.rfind("\n") + 1].splitlines()
        found = next((each for each in whole if each.startswith(self._words)), None)
        if found is not None:
            line.clear()
            sys.stderr.write(f"{label}: {found.removeprefix(self._words)}\n")
            self._words = ""

    def _time(self) -> int | None:
        try:
            return self._log.stat().st_mtime_ns
        except OSError:
            return None


def wait_and_report(
    child: subprocess.Popen[bytes],
    label: str,
    report: LineCounter | str,
    total: int,
    announcement: Announcement | None = None,
) -> int:
    """Wait for the child, from ten seconds on with a progress line. Returns its exit code."""
    announcement = announcement or Announcement("", "")
    line = ProgressLine()
    started = time.monotonic()
    due = LOG_SECONDS
    while True:
        try:
            code = child.wait(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
        else:
            announcement.look(label, line)
            line.clear()
            return code
        announcement.look(label, line)
        if elapsed >= due:
            due = elapsed + line.interval
            text = newest_report(report) if isinstance(report, str) else counted_lines(report, total, elapsed)
            if text:
                line.show(f"{label}: {text}")


def run_watched(command: Sequence[str], label: str, report: LineCounter | str, total: int, announce: str = "") -> int:
    """Run the command, pass what asks to end on to it. Returns the exit code that a shell would give."""
    announcement = Announcement(report if isinstance(report, str) else "", announce)
    asked: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int) -> None:
        asked.append(number)
        if child is not None:
            child.send_signal(number)

    when_asked_to_end(pass_on, pass_on)
    child = subprocess.Popen(command, close_fds=False)  # the stage's lock must last as long as what it starts
    if asked:  # while it was starting
        child.send_signal(asked[0])
    code = wait_and_report(child, label, report, total, announcement)
    return 128 - code if code < 0 else code


def main(argv: Sequence[str]) -> int:
    """Command line of utils/progress.py."""
    parser = Parser("progress.py --label TEXT (--total N --lines GLOB | --follow LOG) -- <command> ...", __doc__ or "")
    parser.add_argument("--label", required=True, help="what is being done, e.g. the stage and the step")
    parser.add_argument("--total", type=int, default=0, help="how many lines there will be (with --lines)")
    parser.add_argument("--lines", metavar="GLOB", help="count the lines of these growing files")
    parser.add_argument("--follow", metavar="LOG", help="show the log's newest line that says how much time is left")
    parser.add_argument(
        "--announce", metavar="WORDS", default="", help="with --follow: show a line that begins so, too"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command to run")
    arguments = parser.parse_args(argv)  # not parse(): the command's words stay as they are
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("no command given after --")
    if bool(arguments.lines) == bool(arguments.follow):
        parser.error("give one of --lines and --follow")
    report = LineCounter(arguments.lines) if arguments.lines else arguments.follow
    return run_watched(command, arguments.label, report, arguments.total, arguments.announce)
