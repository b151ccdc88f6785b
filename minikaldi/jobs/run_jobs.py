"""run.pl: jobs on this machine, with Kaldi's command line, log files, messages and exit codes.

Kaldi joins the command's words into one line for bash: a word without white space goes raw (so `\\|` and `>` act), a
word with white space is put between double quotes, or single ones where it holds a double quote. JOB is replaced as a
plain substring. Beyond Kaldi: the last error line of the first job that failed is printed, and a signal ends the jobs
with all their children.

Source: the observed behaviour of utils/parallel/run.pl.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.interrupts import when_asked_to_end
from common.program import log_message
from minikaldi.jobs.processes import group_is_alive
from minikaldi.jobs.run_options import USAGE, RunError, RunOptions, parse_run_options

KILL_AFTER_SECONDS = 120.0  # training finishes its step, perhaps a validation, and saves; nearly all else ends at once
PAUSE_SECONDS = 0.02
LOG_TAIL_BYTES = 65536
ENDED = re.compile(r"# Ended \(code (\d+)(; signal \d+)?\)")
ERROR_LINE = re.compile(r"\berror\b|exception|\bkilled\b|not found|no such|cannot|failed", re.IGNORECASE)


def shell_line(words: Sequence[str]) -> str:
    """The line for bash of some words."""
    line = ""
    for word in words:
        if re.fullmatch(r"\S+", word):
            line += word + " "
        elif '"' in word:
            line += f"'{word}' "
        else:
            line += f'"{word}" '
    return line


def date() -> str:
    """The output of the command `date` in the C locale."""
    return time.strftime("%a %b %e %H:%M:%S %Z %Y")


@dataclass
class LoggedJob:
    """One command with its log.

    Attributes:
        number: number of the job.
        command: line for bash.
        log: file of the log.
        started: time of the start, in seconds since the epoch.
        process: bash, once it is started.
    """

    number: int
    command: str
    log: Path
    started: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the log's head and start bash, in a process group of its own."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text(f"# {self.command}\n# Started at {date()}\n#\n", errors="surrogateescape")
        self.started = int(time.time())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash"], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, close_fds=False
            )  # it inherits the stage's lock, and holds it as long as it runs
        assert self.process.stdin is not None
        # The line goes through standard input, since it may be longer than an argument can be.
        self.process.stdin.write(os.fsencode(f"( {self.command})\n"))
        self.process.stdin.close()

    @property
    def pid(self) -> int:
        """Process and process group."""
        assert self.process is not None
        return self.process.pid

    def finish(self, status: int) -> bool:
        """Write the end of the log for a wait status; returns whether the command ended with code 0."""
        assert self.process is not None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        elapsed = int(time.time()) - self.started
        code, killed_by = status >> 8, status & 127
        result = f"code {code}; signal {killed_by}" if killed_by else f"code {code}"
        with self.log.open("a", errors="surrogateescape") as log:
            log.write(f"# Accounting: time={elapsed} threads=1\n")
            log.write(f"# Ended ({result}) at {date()}, elapsed time {elapsed} seconds\n")
        return status == 0

    def kill(self, signal_number: int) -> None:
        """Send a signal to the job and all its children."""
        with contextlib.suppress(ProcessLookupError):  # all have ended in the meantime
            os.killpg(self.pid, signal_number)


class _Stopped(Exception):
    """A signal asks the runner to end: raised where it waits for a job."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by signal {signal_number}, and the jobs with it")
        self.signal_number = signal_number


@dataclass
class Runner:
    """Runs jobs, at most `limit` at once."""

    limit: int
    running: dict[int, LoggedJob] = field(default_factory=dict)
    failed: list[LoggedJob] = field(default_factory=list)
    _stopped_by: int = 0
    _asked_again: bool = False
    _waiting: bool = False

    def run(self, jobs: Sequence[LoggedJob]) -> None:
        """Run all jobs, whether some fail or not; if this ends early, the jobs are ended too."""
        when_asked_to_end(self._on_signal, self._on_another)
        try:
            for job in jobs:
                if len(self.running) >= self.limit:
                    self._wait_for_one()
                if self._stopped_by:
                    raise _Stopped(self._stopped_by)
                job.start()
                self.running[job.pid] = job
            while self.running:
                self._wait_for_one()
        except _Stopped as stopped:
            self._end_all()
            log_message(str(stopped))
            sys.exit(128 + stopped.signal_number)
        except OSError:  # no space for a log, no more processes
            self._end_all()
            raise

    def _wait_for_one(self) -> None:
        self._waiting = True  # from here on a signal breaks the wait; while a job starts, it is only recorded
        if self._stopped_by:
            raise _Stopped(self._stopped_by)
        pid, status = os.wait()
        self._waiting = False
        job = self.running.pop(pid, None)
        if job is not None and not job.finish(status):
            self.failed.append(job)

    def _on_signal(self, number: int) -> None:
        self._stopped_by = number
        if self._waiting:
            raise _Stopped(self._stopped_by)

    def _on_another(self, _: int) -> None:
        self._asked_again = True

    def _end_all(self) -> None:
        """Ask the jobs to end and wait for them; kill them if that takes too long, or a second signal comes."""
        for job in self.running.values():
            job.kill(signal.SIGTERM)
        statuses: dict[int, int] = {}
        deadline = time.monotonic() + KILL_AFTER_SECONDS
        while self.running:
            fetched = fetch_ended(statuses)
            for job in list(self.running.values()):
                # bash ends at once; its children may go on, to save their work.
                if group_is_alive(job.pid):
                    if self._asked_again or time.monotonic() > deadline:
                        job.kill(signal.SIGKILL)
                elif job.pid in statuses:
                    self.running.pop(job.pid).finish(statuses[job.pid])
                elif fetched:
                    del self.running[job.pid]  # it had ended before the signal came
            time.sleep(PAUSE_SECONDS)


def fetch_ended(statuses: dict[int, int]) -> bool:
    """Add pid -> wait status of each child that has ended; returns whether no child is left."""
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return False
            statuses[pid] = status
    except ChildProcessError:
        return True


def previous_result(log: Path) -> str:
    """The result of a job by an earlier log: "ok", "failed", or "incomplete" (no log, or no line at its end)."""
    if not log.exists():
        return "incomplete"
    ends = ENDED.findall(log.read_text(errors="surrogateescape"))
    if not ends:
        return "incomplete"
    return "ok" if ends[-1] == ("0", "") else "failed"


def last_error_line(log: Path) -> str:
    """The last line of a log that mentions an error, else its last line of output, else how the job ended."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    ends = ENDED.findall(text)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not re.match(r"#( |$)", line)]
    errors = [line for line in lines if ERROR_LINE.search(line)]
    silent = f"no output, ended with code {''.join(ends[-1])}" if ends else "no output"
    return (errors or lines or [silent])[-1][:500]


def make_jobs(options: RunOptions) -> list[LoggedJob]:
    """One job per number of the range, or the single one."""
    command, log = shell_line(options.words), options.log
    if options.job_name is None:
        return [LoggedJob(1, command, Path(log))]
    name = options.job_name
    return [
        LoggedJob(number, command.replace(name, str(number)), Path(log.replace(name, str(number))))
        for number in range(options.first, options.last + 1)
    ]


def report_failed_jobs(failed: Sequence[LoggedJob], num_jobs: int, options: RunOptions) -> None:
    """Print which jobs failed, where the logs are, and the error of the first of them."""
    if not failed:
        return
    first = min(failed, key=lambda job: job.number)
    if num_jobs == 1:
        log_message(f"job failed, log is in {first.log}")
    else:
        pattern = options.log.replace(options.job_name or "", "*")
        log_message(f"{len(failed)} / {num_jobs} failed, log is in {pattern}")
    log_message(f"{first.log}: {last_error_line(first.log)}")


def run_jobs(options: RunOptions) -> int:
    """Run jobs; returns 1 if a job failed, else 0."""
    jobs = make_jobs(options)
    kept_failed = []
    to_run = jobs
    if options.pick != "all":
        results = {job.number: previous_result(job.log) for job in jobs}
        again = {"incomplete", "failed"} if options.pick == "failed" else {"incomplete"}
        to_run = [job for job in jobs if results[job.number] in again]
        kept_failed = [job for job in jobs if results[job.number] == "failed" and job not in to_run]
    runner = Runner(options.limit(len(jobs)))
    runner.run(to_run)
    failed = runner.failed + kept_failed
    report_failed_jobs(failed, len(jobs), options)
    return 1 if failed else 0


def main(argv: Sequence[str]) -> int:
    """Command line of utils/run.pl."""
    if list(argv) in (["--help"], ["-h"]):
        print(USAGE)
        return 0
    try:
        return run_jobs(parse_run_options(argv))
    except RunError as error:
        if error.is_usage:
            print(error, file=sys.stderr)
        else:
            log_message(str(error))
        return error.code
