"""One training at a time in an experiment directory; who holds it is named, and a lock ends with its process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, writer
from nnet import extract, import_checkpoint
from nnet import train as train_module
from nnet.train import main
from nnet.training import exp_lock
from nnet.training.checkpoint import load_checkpoint
from nnet.training.exp_lock import ExpLock
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.training_runs import terminated_at

HOLDER = """
import os, sys, time
from pathlib import Path
from nnet.training.exp_lock import ExpLock
with ExpLock(Path(sys.argv[1]), sys.argv[2], shared=sys.argv[2] == "extraction"):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(300)
"""


@pytest.fixture
def hold(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """hold(exp, "training"): another process that holds the lock, with a child as a loader is one."""
    processes = []

    def start(exp: Path, work: str) -> subprocess.Popen[str]:
        exp.mkdir(exist_ok=True)
        command = [sys.executable, "-c", HOLDER, str(exp), work]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        children.append(int(process.stdout.readline()))
        return process

    children: list[int] = []
    yield start
    for child in children:  # first, for it holds the other end of the pipe
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_training_is_refused_and_hears_who_is_at_work(tiny_corpus: Any, tmp_path: Path, hold: Any) -> None:
    exp = tmp_path / "exp"
    process = hold(exp, "training")
    message = refusal(main, tiny_corpus.command(exp, "training.steps=3"))
    assert f"{exp} is in use by training, pid {process.pid} on {socket.gethostname()} since 2" in message
    assert "-c" in message and "end it with kill and this pid" in message  # its command line, and what to do
    assert [path.name for path in exp.iterdir()] == ["lock"]
    # SIGKILL leaves the file and the child; neither holds anything.
    process.kill()
    process.wait()
    assert main(tiny_corpus.command(exp, "training.steps=3")) == 0
    assert not (exp / "lock").exists()


def test_a_training_that_lost_its_directory_writes_nothing_more(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp, real = tmp_path / "exp", train_module.timed

    def taken_at_9(batches: Any) -> Any:
        for batch, waited in real(batches):
            if batch.step == 9:
                (exp / "lock").unlink()
                (exp / "lock").write_text("training, pid 1 on another since 2026-01-01 00:00:00: python3\n")
                before.update({path.name: path.read_bytes() for path in exp.iterdir()})
            yield batch, waited

    before: dict[str, bytes] = {}
    monkeypatch.setattr(train_module, "timed", taken_at_9)
    message = refusal(main, tiny_corpus.command(exp))
    assert "does not name this process any more" in message and "pid 1 on another" in message
    assert {path.name: path.read_bytes() for path in exp.iterdir()} == before


def test_extractions_share_the_lock_and_exclude_training(tiny_corpus: Any, tmp_path: Path, hold: Any) -> None:
    exp, table = tmp_path / "exp", tmp_path / "feats.ark"
    assert main(tiny_corpus.command(exp, "training.steps=3")) == 0
    with writer(f"ark:{table}", FLOAT_MATRIX) as out:
        out.write("a", np.ones((40, 8), np.float32))

    def embed(to: Path) -> int:
        return extract.main(["--exp", str(exp), f"ark:{table}", f"ark:{to}"])

    one = hold(exp, "extraction")
    assert embed(exp / "one.ark") == 0
    assert (exp / "lock").exists()  # the other one goes on
    message = refusal(main, tiny_corpus.command(exp, "training.steps=3"))
    assert "is in use by extraction, pid" in message
    one.kill()
    one.wait()
    assert embed(exp / "two.ark") == 0
    assert not (exp / "lock").exists()

    training = hold(exp, "training")
    message = refusal(extract.main, ["--exp", str(exp), f"ark:{table}", f"ark:{exp}/three.ark"])
    assert f"is in use by training, pid {training.pid}" in message
    assert embed(tmp_path / "elsewhere.ark") == 0


def test_nothing_is_imported_where_training_is_at_work(tmp_path: Path, hold: Any) -> None:
    lstm = torch.nn.LSTM(40, 4, 1, batch_first=True)
    weights = {f"lstm.{name}": value.detach() for name, value in lstm.named_parameters()}
    torch.save({"encoder_state_dict": weights}, tmp_path / "published.pt")
    command = [str(tmp_path / "published.pt"), str(tmp_path / "exp")]
    training = hold(tmp_path / "exp", "training")
    message = refusal(import_checkpoint.main, command)
    assert f"is in use by training, pid {training.pid}" in message
    assert [path.name for path in (tmp_path / "exp").iterdir()] == ["lock"]
    training.kill()
    training.wait()
    import_checkpoint.main(command)


LEFT = "training, pid 12 on {} since 2026-01-01 00:00:00: python3 -m nnet.train\n"


def test_extractions_side_by_side_take_over_what_another_host_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first to do so writes its line while the others still watch the one that was left."""
    (tmp_path / "lock").write_text(LEFT.format("elsewhere"))
    monkeypatch.setattr(exp_lock, "WATCH_SECONDS", 60.0)
    other = threading.Timer(0.3, (tmp_path / "lock").write_text, ["extraction, pid 13 on here since then: x\n"])
    other.start()
    with ExpLock(tmp_path, "extraction", shared=True):
        pass
    other.join()


@pytest.mark.parametrize("carried", [True, False], ids=["", "no locks there"])
def test_what_another_host_left_is_taken_over_unless_it_shows_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, carried: bool
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if not carried:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    host = "elsewhere" if carried else socket.gethostname()
    lock = tmp_path / "lock"
    lock.write_text(LEFT.format(host))
    monkeypatch.setattr(exp_lock, "WATCH_SECONDS", 0.2)
    with ExpLock(tmp_path, "training"):
        assert f"pid {os.getpid()} on {socket.gethostname()} since" in lock.read_text()
    assert f"pid 12 on {host}" in caplog.text and "taken over" in caplog.text

    lock.write_text(LEFT.format(host))
    monkeypatch.setattr(exp_lock, "WATCH_SECONDS", 60.0)
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(0.1):
            os.utime(lock)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(InputError, match=f"is in use by training, pid 12 on {host}"), ExpLock(tmp_path, "training"):
            pass
    finally:
        ended.set()
        thread.join()


def test_training_touches_the_lock_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exp_lock, "TOUCH_SECONDS", 0.0)
    with ExpLock(tmp_path, "training") as lock:
        os.utime(lock.path, (1, 1))
        lock.touch()
        assert lock.path.stat().st_mtime > 1


def test_a_lock_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exp/lock: cannot be locked: No such file"), ExpLock(tmp_path / "exp", "x"):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_each_signal_saves_and_ends_with_its_code_also_where_it_reaches_the_loaders(
    tiny_corpus: Any, tmp_path: Path, number: signal.Signals
) -> None:
    with terminated_at(5, number, loaders=True):
        assert main(tiny_corpus.command(tmp_path / "exp", "data.workers=1")) == 128 + number
    assert load_checkpoint(tmp_path / "exp" / "last.pt").step == 5


def test_one_request_that_comes_twice_saves_too(tiny_corpus: Any, tmp_path: Path) -> None:
    with terminated_at(5, signal.SIGTERM, signal.SIGTERM):
        assert main(tiny_corpus.command(tmp_path / "exp")) == 128 + signal.SIGTERM
    assert load_checkpoint(tmp_path / "exp" / "last.pt").step == 5
