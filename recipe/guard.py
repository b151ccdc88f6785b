"""guard.py: run a bash script, and leave none of its processes when it ends, however it ends.

    guard.py ./pipeline.sh --stage 6

All that the script starts has the variable PIPELINE_RUN, by which it is found again, in any session and under any
parent. A guard below another one adds its mark before that of the other, which so finds all of them.

A signal that asks to end, to this process alone or to the group, is passed on: everything in this process group gets
SIGTERM, utils/run.pl ends its jobs, training saves first. What the group left is ended next. At a second request, or
when it takes too long, everything is killed. The exit code is then 128 + the signal's number.

SIGKILL cannot be passed on. So there is a keeper, a second process in a session of its own, that does the same when
this one is gone.

Meanwhile the guard measures the memory of all that the script started (recipe/peak_memory.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from common.interrupts import AGAIN_SECONDS, ending_signals
from minikaldi.jobs.processes import marked
from recipe.peak_memory import PEAK_FILE, PeakMemory

MARK = "PIPELINE_RUN"
PAUSE_SECONDS = 0.05
KILL_AFTER_SECONDS = 150.0  # more than utils/run.pl gives its jobs
KILL_LEFT_SECONDS = 15.0  # what a script leaves when it ends by itself has nothing to save
SAY_AFTER_SECONDS = 5.0


def report_line(text: str) -> None:
    """A line on stderr; if the terminal is gone, nobody can read it."""
    with contextlib.suppress(OSError):
        print(f"pipeline.sh: {text}", file=sys.stderr, flush=True)


def end_all(mark: str, group: int, pause: Callable[[], bool], patience: float = KILL_AFTER_SECONDS) -> None:
    """End every process with this mark: those of the group first, for they end what they started.

    Args:
        mark: value of PIPELINE_RUN.
        group: the process group of the recipe.
        pause: waits for PAUSE_SECONDS; True if everything must be killed now.
        patience: seconds after which everything is killed.
    """
    asked: set[int] = set()
    begin, kill, said = time.monotonic(), False, False
    while left := marked(MARK, mark):
        waited = time.monotonic() - begin
        if not said and waited >= SAY_AFTER_SECONDS:
            said = True
            pids = " ".join(str(process.pid) for process in left)
            report_line(f"waiting up to {patience:.0f} s for the end of {pids}")
        if not kill and waited >= patience:
            kill = True
            report_line(f"{len(left)} processes did not end within {patience:.0f} s and are killed")
        in_turn = [process for process in left if process.group == group] or left
        for process in left if kill else in_turn:
            if kill:
                process.send(signal.SIGKILL)
            elif process.pid not in asked:
                process.send(signal.SIGTERM)
                process.send(signal.SIGCONT)  # Ctrl-Z may have stopped it
            asked.add(process.pid)
        kill = pause() or kill


class Requests:
    """The signals that ask this process to end; they are blocked, and fetched one by one."""

    def __init__(self) -> None:
        self.first = 0
        self._since = 0.0
        self._ending = set(ending_signals())
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, {*self._ending, signal.SIGCHLD})

    def wait(self, seconds: float) -> None:
        """Until one of them comes, a child has ended, or the seconds have passed."""
        got = signal.sigtimedwait({*self._ending, signal.SIGCHLD}, seconds)
        if got is not None:
            self._note(got.si_signo)

    def pause(self) -> bool:
        """For PAUSE_SECONDS; True if another request came after the first."""
        got = signal.sigtimedwait(self._ending, PAUSE_SECONDS)
        return got is not None and self._note(got.si_signo)

    def _note(self, number: int) -> bool:
        if number == signal.SIGCHLD:
            return False
        if self.first:
            return time.monotonic() - self._since >= AGAIN_SECONDS
        self.first, self._since = number, time.monotonic()
        name = signal.Signals(number).name
        report_line(f"{name}: ending what is at work; training saves first (a second signal kills it)")
        return False


def start_keeper(mark: str) -> tuple[int, int]:
    """A process that ends the recipe's when this one is gone.

    Returns:
        Its pid, and a descriptor: it waits until that is closed.
    """
    group = os.getpgrp()
    read_end, write_end = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(read_end)
        return keeper, write_end
    try:
        os.setsid()
        os.close(write_end)
        os.read(read_end, 1)
        if left := marked(MARK, mark):
            report_line(f"was killed; ending the {len(left)} processes that it left; training saves first")
        end_all(mark, group, _pause)
    finally:
        os._exit(0)


def _pause() -> bool:
    time.sleep(PAUSE_SECONDS)
    return False


def main(command: Sequence[str]) -> int:
    """Run a bash script; returns its exit code, as a shell gives it, or 128 + the signal that asked to end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # some parents leave it ignored: exit codes would be lost
    mark = f"{os.getpid()}-{time.time_ns()}"
    requests = Requests()
    keeper, lifeline = start_keeper(mark)
    memory = PeakMemory()
    script = subprocess.Popen(
        ["bash", *command],
        env={**os.environ, MARK: "/".join([mark, *filter(None, [os.environ.get(MARK)])]), PEAK_FILE: memory.path},
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, requests.before),
    )
    while script.poll() is None and not requests.first:
        memory.sample(script.pid)
        requests.wait(memory.pause_seconds)
    by_itself = not requests.first and script.returncode >= 0
    end_all(mark, os.getpgrp(), requests.pause, KILL_LEFT_SECONDS if by_itself else KILL_AFTER_SECONDS)
    os.close(lifeline)
    os.waitpid(keeper, 0)
    code = script.wait()
    if requests.first:
        return 128 + requests.first
    return 128 - code if code < 0 else code
