"""How pipes end: early, in the middle, by a signal, with unread data; always soon, without a thread or a file left."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, open_read, random_access, sequential, writer
from minikaldi.io.inner import parse_pipeline
from minikaldi.running import run_command

LIMIT_S = 60
BIG = {f"k{i}": np.full((20_000, 10), i, dtype=np.float32) for i in range(8)}  # 800 kB each: more than a pipe holds


@pytest.fixture(autouse=True)
def place(tmp_path: Path, command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with big.ark, current; after the test there are the threads, children and open files of before it."""
    monkeypatch.setenv("PATH", f"{command_env['PATH']}")
    monkeypatch.chdir(tmp_path)
    with writer("ark,scp:big.ark,big.scp", FLOAT_MATRIX) as out:
        for key, matrix in BIG.items():
            out.write(key, matrix)

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("the test hangs")

    before = state()
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    assert state() == before


def state() -> tuple[set[threading.Thread], int, list[str]]:
    """Threads, number of open files, children."""
    task = Path("/proc/self/task")
    children: list[str] = []
    for thread in task.iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended since it was listed
            children += (thread / "children").read_text().split()
    return set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir())), children


INSIDE = [
    "copy-feats ark:big.ark ark:- |",
    "cat big.ark | copy-feats ark:- ark:- | copy-feats ark:- ark:- | copy-feats ark:- ark:- |",
    "copy-feats 'ark:copy-feats ark:big.ark ark:- | copy-feats ark:- ark:- |' ark:- |",
    "copy-feats 'ark:cat big.ark; true |' ark:- |",
]
OUTSIDE = ["cat big.ark; true |", "cat big.ark; exit 5 |", "yes | cat big.ark - |"]


@pytest.mark.parametrize("command", [*INSIDE, *OUTSIDE])
@pytest.mark.parametrize("options", ["", ",bg", ",p"])
def test_reader_that_leaves_early_ends_all_commands(command: str, options: str) -> None:
    assert (parse_pipeline(command[:-1].strip()) is not None) == (command in INSIDE)
    for taken in (0, 1, 3):
        with sequential(f"ark{options}:{command}", FLOAT_MATRIX) as table:
            keys = [key for key, _ in (entry for entry, _ in zip(table, range(taken), strict=False))]
        assert keys == list(BIG)[:taken]
    with random_access(f"ark,s,cs:{command}", FLOAT_MATRIX) as table:
        assert "k2" in table


@pytest.mark.parametrize("command", INSIDE)
def test_fault_of_the_reader_ends_all_commands(command: str) -> None:
    with pytest.raises(ZeroDivisionError), sequential(f"ark:{command}", FLOAT_MATRIX) as table:
        for _ in table:
            1 / 0  # noqa: B018


def test_header_alone_may_be_read_of_a_stream() -> None:
    with open_read("copy-feats ark:big.ark ark:- |") as stream:
        assert stream.read(3) == b"k0 "


@pytest.mark.parametrize(
    "command",
    [
        "cat big.ark | copy-vector ark:- ark:- | copy-vector ark:- ark:- |",  # in the first
        "cat big.ark | copy-feats ark:- ark:- | copy-vector ark:- ark:- | copy-vector ark:- ark:- |",  # in the middle
        "copy-feats ark:big.ark ark:- | copy-feats ark:- ark:- | copy-feats ark:gone ark:- |",  # in the last
        "copy-feats ark:gone ark:- | copy-feats ark:- ark:- |",
        "copy-feats 'ark:copy-feats ark:gone ark:- |' ark:- |",
    ],
)
def test_command_that_fails_anywhere_inside_is_reported_and_ends_the_others(command: str) -> None:
    with (
        pytest.raises(KaldiError, match=r"the pipe .* failed with exit code 255"),
        sequential(f"ark:{command}", FLOAT_MATRIX) as table,
    ):
        list(table)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("| copy-vector ark:- ark:x", "failed with exit code 255"),
        ("| copy-feats ark:- ark:no/x", "failed with exit code 255"),
        ("| copy-feats --typo ark:- ark:x", "failed with exit code 1"),
        ("| feat-to-dim ark:- x", "ended with exit code 0 before it had read all"),
        ("| copy-feats ark:- ark:- | feat-to-dim ark:- x", "ended with exit code 0 before it had read all"),
        ("| exit 3", "exit code 3"),
        ("| copy-feats ark:- ark:- | head -c 10 > x", "ended with exit code 0 before it had read all"),
        ("| head -c 10 > x", "ended with exit code 0 before it had read all"),
        ("| cat > x; exit 4", "failed with exit code 4"),
        ("| cat > x; kill -9 $$", "failed with exit code 137"),
    ],
)
def test_command_that_ends_before_all_is_written_is_an_error_with_its_code(command: str, message: str) -> None:
    with pytest.raises(KaldiError, match=message), writer(f"ark:{command}", FLOAT_MATRIX) as out:
        for key, matrix in BIG.items():
            out.write(key, matrix)


def test_a_command_says_which_pipe_took_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["copy-feats", "ark:big.ark", "ark:| head -c 10 > x"]) == 255
    assert "'head -c 10 > x' ended with exit code 0 before it had read all" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "code"), [("kill -9 $$ |", 137), ("cat big.ark; kill -15 $$ |", 143), ("exit 2|", 2)]
)
def test_command_that_a_signal_ends_is_reported_as_a_shell_reports_it(command: str, code: int) -> None:
    with (
        pytest.raises(KaldiError, match=rf"failed with exit code {code}$"),
        sequential(f"ark:{command}", FLOAT_MATRIX) as table,
    ):
        list(table)


@pytest.mark.parametrize("command", ["cat \0 |", "echo " + "x" * (1 << 18) + " |"])
def test_line_that_no_shell_takes_is_an_error(command: str) -> None:
    with pytest.raises(KaldiError, match="cannot be started"):
        open_read(command)


def test_pipe_of_the_wrong_type_of_object_names_it() -> None:
    with pytest.raises(KaldiError, match="vector"), sequential("ark:copy-feats ark:big.ark ark:- |", FLOAT_VECTOR) as t:
        list(t)


def test_memory_between_commands_is_bounded(command_env: dict[str, str]) -> None:
    """A table of 64 MB through four commands, in a process of its own, which would else grow by as much and more."""
    import subprocess

    code = """
import resource, numpy as np
from minikaldi.io import FLOAT_MATRIX, sequential, writer
def rss(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with writer("ark:huge.ark", FLOAT_MATRIX) as out:
    for i in range(80):
        out.write(f"k{i}", np.full((20000, 10), i, dtype=np.float32))
def run(name):
    with sequential(name, FLOAT_MATRIX) as table:
        assert sum(1 for _ in table) == (80 if "huge" in name else 8)
pipe = "ark:cat {0}.ark | copy-feats ark:- ark:- | copy-feats ark:- ark:- | copy-feats ark:- ark:- |"
run(pipe.format("big"))
before = rss()
run(pipe.format("huge"))
run("ark,bg:huge.ark")
print(rss() - before)
"""
    env = {**command_env, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 << 10  # kilobytes; channels of 1 MB, objects of 0.8 MB
