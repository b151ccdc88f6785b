"""A signal to the recipe's pid or group reaches the job, which saves; whatever is killed, no process is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.own_processes import carrying, new_mark, wait_until

# The job: it saves when it is asked to end, and has a child as a trainer has loaders.
WORKER = """
import os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def save(number, _):
    if sys.argv[2] != "deaf":
        time.sleep(0.3)
        (here / "saved").write_text(signal.Signals(number).name)
        sys.exit(128 + number)
if os.fork() == 0:
    time.sleep(300)
    os._exit(0)
signal.signal(signal.SIGTERM, save)
(here / "ready").touch()
while True:
    time.sleep(0.05)
"""
STEP = """#!/usr/bin/env bash
set -euo pipefail
utils/progress.py --label x --follow "$1/job.log" -- utils/run.pl "$1/job.log" python3 -S "$1/worker.py" "$1" "$2"
"""
RECIPE = """#!/usr/bin/env bash
set -euo pipefail
bash "$1/step.sh" "$1" "$2"
touch "$1/went_on"
"""


class Chain:
    """guard.py -> recipe -> step -> progress.py -> run.pl -> job, as ./pipeline.sh has them."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder, self.mark = folder, new_mark()
        self._root = root
        for name, text in (("worker.py", WORKER), ("step.sh", STEP), ("recipe.sh", RECIPE)):
            (folder / name).write_text(text)

    def start(self, kind: str = "hearing", before: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Start it in a group of its own; returns when the job is at work."""
        command = ["utils/guard.py", str(self.folder / "recipe.sh"), str(self.folder), kind]
        with (self.folder / "run.log").open("wb") as log:
            run = subprocess.Popen(
                command, cwd=self._root, env={**os.environ, **self.mark}, stdout=log, stderr=log, preexec_fn=before,
                start_new_session=True,
            )  # fmt: skip
        wait_until((self.folder / "ready").exists, "the job is at work")
        return run

    def pid(self, start: str) -> int:
        """The process whose command line begins so."""
        [pid] = [pid for pid, command in carrying(self.mark).items() if command.startswith(start)]
        return pid

    def keeper(self, run: subprocess.Popen[bytes]) -> int:
        """The second process of guard.py."""
        guards = [pid for pid, command in carrying(self.mark).items() if "utils/guard.py" in command]
        [pid] = set(guards) - {run.pid}
        return pid

    def saved(self) -> bool:
        return (self.folder / "saved").exists()


@pytest.fixture
def chain(root: Path, tmp_path: Path) -> Iterator[Chain]:
    chain = Chain(root, tmp_path)
    yield chain
    for pid in carrying(chain.mark):  # of a test that failed
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["pid", "group"])
def test_a_signal_lets_the_job_save_and_leaves_no_process(
    chain: Chain, send: Callable[[int, int], None], number: signal.Signals
) -> None:
    run = chain.start()
    send(run.pid, number)
    assert run.wait(timeout=60) == 128 + number
    assert carrying(chain.mark) == {}
    assert chain.saved() and not (chain.folder / "went_on").exists()
    assert number.name in (chain.folder / "run.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL])
@pytest.mark.parametrize("part", ["bash", "step", "progress", "run", "job"])
def test_whatever_part_is_ended_alone_the_others_end_too(chain: Chain, part: str, number: signal.Signals) -> None:
    starts = {
        "bash": f"bash {chain.folder}/recipe.sh",
        "step": f"bash {chain.folder}/step.sh",
        "progress": "python3 utils/progress.py",
        "run": "python3 utils/run.pl",
        "job": "bash",
    }
    run = chain.start()
    pids = [pid for pid, command in carrying(chain.mark).items() if command == "bash"] or [0]
    os.kill(min(pids) if part == "job" else chain.pid(starts[part]), number)
    assert run.wait(timeout=60) != 0
    assert carrying(chain.mark) == {}
    assert chain.saved() and not (chain.folder / "went_on").exists()


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["pid", "group"])
def test_after_a_sigkill_the_keeper_ends_what_is_left(chain: Chain, kill: Callable[[int, int], None]) -> None:
    run = chain.start()
    kill(run.pid, signal.SIGKILL)
    run.wait(timeout=60)
    wait_until(lambda: not carrying(chain.mark), "no process is left")
    assert chain.saved()
    assert "was killed; ending the" in (chain.folder / "run.log").read_text()


def test_without_the_keeper_signals_work_as_with_it(chain: Chain) -> None:
    run = chain.start()
    os.kill(chain.keeper(run), signal.SIGKILL)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGTERM
    assert chain.saved() and carrying(chain.mark) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_guard_finds_what_a_guard_below_it_has_started(chain: Chain, root: Path, number: signal.Signals) -> None:
    """Even if the inner guard and its keeper are killed with the outer one, the outer keeper ends their jobs."""
    (chain.folder / "inner.sh").write_text((chain.folder / "recipe.sh").read_text())
    (chain.folder / "recipe.sh").write_text(f'#!/usr/bin/env bash\nutils/guard.py "{chain.folder}/inner.sh" "$@"\n')
    run = chain.start()
    guards = [pid for pid, command in carrying(chain.mark).items() if "utils/guard.py" in command]
    assert len(guards) == 4  # two, each with its keeper
    if number == signal.SIGKILL:
        inner = [pid for pid in guards if f"{chain.folder}/inner.sh" in Path(f"/proc/{pid}/cmdline").read_text()]
        for pid in (*inner, run.pid):
            os.kill(pid, number)
        run.wait(timeout=60)
    else:
        os.kill(run.pid, number)
        assert run.wait(timeout=60) == 128 + number
    wait_until(lambda: not carrying(chain.mark), "no process is left")
    assert chain.saved() and not (chain.folder / "went_on").exists()


def test_the_same_request_twice_at_once_is_one(chain: Chain) -> None:
    run = chain.start()
    os.kill(run.pid, signal.SIGTERM)
    os.killpg(run.pid, signal.SIGTERM)  # as timeout(1) sends it: to its child, and to the child's group
    assert run.wait(timeout=60) == 128 + signal.SIGTERM
    assert chain.saved()


def test_a_second_request_kills_what_does_not_end(chain: Chain) -> None:
    run = chain.start("deaf")
    os.kill(run.pid, signal.SIGINT)
    time.sleep(1.2)
    assert run.poll() is None
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) == 128 + signal.SIGINT
    assert carrying(chain.mark) == {}


def test_what_ctrl_z_has_stopped_is_ended_too(chain: Chain) -> None:
    run = chain.start()
    for start in ("python3 utils/progress.py", "python3 utils/run.pl"):
        os.kill(chain.pid(start), signal.SIGSTOP)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGTERM
    assert chain.saved() and carrying(chain.mark) == {}


def test_under_nohup_a_closed_terminal_ends_nothing(chain: Chain) -> None:
    run = chain.start(before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None)
    os.killpg(run.pid, signal.SIGHUP)
    time.sleep(0.3)
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGTERM  # not 128 + SIGHUP, the first
    assert chain.saved() and carrying(chain.mark) == {}


def test_ctrl_c_on_a_terminal_ends_all(chain: Chain) -> None:
    terminal, end = pty.openpty()
    run = chain.start(before=lambda: fcntl.ioctl(end, termios.TIOCSCTTY, 0) and None)
    os.write(terminal, b"\x03")
    assert run.wait(timeout=60) == 128 + signal.SIGINT
    assert chain.saved() and carrying(chain.mark) == {}
    os.close(terminal)
    os.close(end)


def test_a_signal_that_is_passed_on_late_is_no_second_request(root: Path, tmp_path: Path) -> None:
    """A busy guard repeats what the group has received; the job is still given its time to save."""
    job = WORKER.replace("time.sleep(0.3)", "time.sleep(2)")
    (tmp_path / "worker.py").write_text(job)
    words = [sys.executable, "-S", f"{tmp_path}/worker.py", str(tmp_path), "hearing"]
    log = f"{tmp_path}/job.log"
    command = ["utils/progress.py", "--label", "x", "--follow", log, "--", "utils/run.pl", log, *words]
    run = subprocess.Popen(command, cwd=root, start_new_session=True)
    wait_until((tmp_path / "ready").exists, "the job is at work")
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(1.3)
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGINT
    assert (tmp_path / "saved").exists()


@pytest.mark.parametrize("code", [0, 7])
def test_the_exit_code_counts_where_the_parent_ignores_its_children(root: Path, tmp_path: Path, code: int) -> None:
    """As some daemons and cron wrappers do, with SIGCHLD ignored."""
    (tmp_path / "script.sh").write_text(f"exit {code}")
    command = [sys.executable, root / "utils/guard.py", "script.sh"]
    ignoring = "import os, signal, sys; signal.signal(17, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", ignoring, *map(str, command)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("text", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("sleep 300 & exit 3", 3), ("setsid sleep 300 & exit 0", 0)],
)
def test_the_exit_code_is_the_scripts_and_nothing_is_left_in_the_background(
    root: Path, tmp_path: Path, text: str, code: int
) -> None:
    (tmp_path / "script.sh").write_text(text)
    mark = new_mark()
    command = [sys.executable, root / "utils/guard.py", "script.sh"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **mark}, timeout=60, check=False)
    assert done.returncode == code
    assert carrying(mark) == {}


def test_standard_streams_and_arguments_are_the_scripts(root: Path, tmp_path: Path) -> None:
    (tmp_path / "script.sh").write_text('cat; printf "[%s]" "$@"; echo error >&2')
    command = [root / "utils/guard.py", "script.sh", "a b", ""]
    done = subprocess.run(command, cwd=tmp_path, input="in ", capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("in [a b][]", "error\n")
