"""Loader processes: the same batches, and an end for whatever can happen to one of them, within seconds."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnet.data import loaders
from nnet.data.batches import ChunkReader
from nnet.data.loaders import Loaders
from nnet.data.sampler import BatchPlan
from nnet.train import main
from nnet.training.checkpoint import load_checkpoint
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.training_runs import curve, equal_states

Read = Callable[[BatchPlan], Any]
SIZE = 4 * 50 * 8  # floats of a batch


def plans(count: int) -> list[BatchPlan]:
    return [BatchPlan(step, 50, np.arange(4), np.zeros(4, np.int64)) for step in range(1, count + 1)]


def numbered(plan: BatchPlan) -> Any:
    """Chunks that hold the number of the step; every third batch is shorter."""
    return np.full((4, 50 - plan.step % 3, 8), plan.step, np.float32), (f"note {plan.step}",)


def steps_of(read: Read, count: int, workers: int, stopped: Callable[[], object] = lambda: False) -> list[int]:
    """Steps of the batches that came; their chunks are checked."""
    steps = []
    with closing(Loaders(read, workers, SIZE)) as processes:
        for batch in processes.batches(plans(count), stopped):
            assert batch.feats.shape == (4, 50 - batch.plan.step % 3, 8)
            assert bool((batch.feats == batch.plan.step).all()) and batch.notes == (f"note {batch.plan.step}",)
            steps.append(batch.plan.step)
    return steps


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not there() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert there()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_batches_come_in_order_and_no_process_is_left(workers: int) -> None:
    before = children()
    for count in (0, 1, 3, 40):
        assert steps_of(numbered, count, workers) == list(range(1, count + 1))
    assert children() == before


def test_batches_need_no_file_however_large_they_are() -> None:
    """A limit on the size of files, which /dev/shm's files have too, and a full /dev/shm change nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        assert steps_of(numbered, 9, 2) == list(range(1, 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def at_step(step: int, happens: Callable[[], Any]) -> Read:
    """Reads, but for the batch of one step."""
    return lambda plan: happens() if plan.step == step else numbered(plan)


def killed(number: int) -> Callable[[], Any]:
    def kill() -> None:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), number)

    return kill


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (killed(signal.SIGKILL), r"which makes the batch of step 4, was ended by SIGKILL; most likely memory ran out"),
        (killed(signal.SIGBUS), r"was ended by SIGBUS; most likely memory ran out: lower data\.workers \(2 now"),
        (killed(signal.SIGSEGV), r"was ended by SIGSEGV; if memory ran out, lower data\.workers"),
        (lambda: os._exit(3), r"ended with exit code 3; if memory ran out, lower data\.workers"),
        (lambda: "utt7: archive a.ark is unreadable", r"^utt7: archive a\.ark is unreadable$"),
    ],
)
def test_what_ends_a_process_or_a_batch_is_named_with_what_to_do(happens: Callable[[], Any], says: str) -> None:
    with pytest.raises(loaders.LoaderError, match=says):
        steps_of(at_step(4, happens), 50, 2)


def test_a_fault_of_a_loader_shows_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)the batch of step 2 cannot be made:\nTraceback.*ZeroDivisionError"):
        steps_of(at_step(2, lambda: 1 // 0), 3, 1)


@pytest.mark.parametrize("happens", [killed(signal.SIGKILL), lambda: "utt7: no such file"])
def test_a_failure_is_known_at_once_even_if_an_earlier_batch_never_comes(happens: Callable[[], Any]) -> None:
    read = at_step(2, happens)
    with pytest.raises(loaders.LoaderError, match=r"of step 2, was ended by SIGKILL|utt7: no such file"):
        steps_of(lambda plan: time.sleep(1000) if plan.step == 1 else read(plan), 9, 2)


def test_a_process_that_was_killed_between_two_batches_is_missed() -> None:
    with closing(Loaders(numbered, 2, SIZE)) as processes:
        batches = processes.batches(plans(1000), lambda: False)
        next(batches)
        os.kill(min(children()), signal.SIGKILL)
        with pytest.raises(loaders.LoaderError, match="was ended by SIGKILL"):
            list(batches)


def test_a_process_that_gives_nothing_is_named_first_and_given_up_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loaders, "PATIENCE", 1.0)
    monkeypatch.setattr(loaders, "REMINDER", 0.3)
    with pytest.raises(loaders.LoaderError, match=r"of step 2, has given nothing for 1 seconds.*lower data\.workers"):
        steps_of(at_step(2, lambda: os.kill(os.getpid(), signal.SIGSTOP)), 9, 1)
    assert "of step 2, has given nothing for 0 seconds" in caplog.text


def test_waiting_ends_where_that_is_asked_for() -> None:
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 1

    assert steps_of(at_step(3, lambda: time.sleep(1000)), 9, 1, stopped) == [1, 2]
    assert len(asked) == 2


def test_too_few_file_handles_for_the_processes_are_named_with_the_limit() -> None:
    before, fds = children(), len(list(Path("/proc/self/fd").iterdir()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (fds + 20, hard))
    try:
        with pytest.raises(loaders.LoaderError) as error:
            steps_of(numbered, 3, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for part in ("100 loader processes", f"may open {fds + 20} (ulimit -n)", "lower data.workers"):
        assert part in str(error.value)
    assert children() == before and len(list(Path("/proc/self/fd").iterdir())) == fds


def test_too_little_memory_for_the_batches_is_named_with_what_to_lower() -> None:
    with pytest.raises(loaders.LoaderError, match=r"2 loader processes cannot be started: .*lower data\.workers"):
        Loaders(numbered, 2, 1 << 58)


TRAINER = """
import subprocess, sys, time
from contextlib import closing
from pathlib import Path
import numpy as np
from nnet.data.loaders import Loaders
from nnet.data.sampler import BatchPlan
def read(plan):
    command = subprocess.Popen(["sleep", "1000"])
    Path(sys.argv[1], str(command.pid)).touch()
    command.wait()
plans = [BatchPlan(step, 1, np.arange(1), np.arange(1)) for step in range(1, 9)]
with closing(Loaders(read, 2, 1)) as loaders:
    list(loaders.batches(plans, lambda: Path(sys.argv[1], "stop").exists()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, 0])
def test_loaders_and_their_commands_end_with_the_trainer(number: int, tmp_path: Path, root: Path) -> None:
    trainer = subprocess.Popen([sys.executable, "-c", TRAINER, str(tmp_path)], cwd=root)
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    commands = [int(path.name) for path in tmp_path.iterdir()]
    mine = [int(pid) for pid in Path(f"/proc/{trainer.pid}/task/{trainer.pid}/children").read_text().split()]
    assert len(mine) == 2
    if number:
        trainer.send_signal(number)
    else:
        (tmp_path / "stop").touch()
    assert trainer.wait(30) == -number
    wait_until(lambda: not any(is_running(pid) for pid in (*mine, *commands)))


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_while_a_batch_is_waited_for_saves_the_last_finished_step(
    workers: int, tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole", "training.log_every=1")) == 0
    real, parts, trainer = ChunkReader.__call__, tmp_path / "parts", os.getpid()

    def hanging(self: ChunkReader, plan: BatchPlan) -> Any:
        if plan.step < 4:
            return real(self, plan)
        wait_until(lambda: len(curve(parts)) == 4)  # step 3 is done
        os.kill(trainer, signal.SIGTERM)
        never.wait()

    never = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(ChunkReader, "__call__", hanging)
        command = tiny_corpus.command(
            parts, "training.log_every=1", f"data.workers={workers}", "training.save_every=100"
        )
        assert main(command) == 128 + signal.SIGTERM
    never.set()
    assert "stopped by SIGTERM after step 3" in caplog.text
    assert load_checkpoint(parts / "last.pt").step == 3
    assert main(tiny_corpus.command(parts, "training.log_every=1")) == 0
    assert equal_states(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(parts / "last.pt"))
    assert curve(tmp_path / "whole") == curve(parts)


def test_a_signal_before_the_first_batch_saves_what_the_run_begins_with(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole", "training.steps=6")) == 0
    trainer = os.getpid()

    def hanging(self: ChunkReader, plan: BatchPlan) -> Any:
        os.kill(trainer, signal.SIGTERM)
        time.sleep(1000)

    with monkeypatch.context() as patch:
        patch.setattr(ChunkReader, "__call__", hanging)
        assert main(tiny_corpus.command(tmp_path / "parts", "training.steps=6", "data.workers=1")) == 143
    assert load_checkpoint(tmp_path / "parts" / "last.pt").step == 0
    assert main(tiny_corpus.command(tmp_path / "parts", "training.steps=6")) == 0
    assert equal_states(
        load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "parts" / "last.pt")
    )


def test_a_loader_that_is_killed_ends_training_with_the_way_out_and_what_was_learned(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole")) == 0
    real, parts = ChunkReader.__call__, tmp_path / "parts"

    def killed_at_4(self: ChunkReader, plan: BatchPlan) -> Any:
        if plan.step == 4:
            wait_until(lambda: len(curve(parts)) == 4)
            os.kill(os.getpid(), signal.SIGKILL)  # as Linux does where memory has run out
        return real(self, plan)

    with monkeypatch.context() as patch:
        patch.setattr(ChunkReader, "__call__", killed_at_4)
        command = tiny_corpus.command(parts, "training.log_every=1", "data.workers=1", "training.save_every=100")
        message = refusal(main, command)
    assert "ended by SIGKILL" in message and "lower data.workers (1 now" in message
    assert load_checkpoint(parts / "last.pt").step == 3
    assert main(tiny_corpus.command(parts, "data.workers=0")) == 0
    assert equal_states(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(parts / "last.pt"))


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_that_runs_out_in_a_reader_is_reported_with_what_to_lower(
    workers: int, tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError("Unable to allocate 9. GiB")

    monkeypatch.setattr("nnet.data.batches.read_frames", full)
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", f"data.workers={workers}"))
    assert "memory ran out, lower data.batch_size" in message and "Unable to allocate 9. GiB" in message


@pytest.mark.slow
def test_training_ends_where_a_process_may_open_few_files(tiny_corpus: Any, tmp_path: Path, root: Path) -> None:
    """Each utterance has an archive of its own: more than the 24 files that may be open."""
    whole = (tiny_corpus.root / "feats.ark").read_bytes()
    archives = 0
    for path in tiny_corpus.lists.iterdir():
        parts = path.read_text().split(f"{tiny_corpus.root}/feats.ark:")
        text = parts[0]
        for part in parts[1:]:
            archives += 1
            (tmp_path / f"{archives}.ark").write_bytes(whole)
            text += f"{tmp_path}/{archives}.ark:{part}"
        path.write_text(text)
    assert archives == 48
    command = [sys.executable, "-m", "nnet.train", *tiny_corpus.command(tmp_path / "exp", "data.workers=2")]
    limited = ["bash", "-c", 'ulimit -n 24; exec "$@"', "bash", *command]
    done = subprocess.run(limited, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and "Descriptor" not in done.stderr and "Traceback" not in done.stderr
    assert load_checkpoint(tmp_path / "exp" / "last.pt").step == 20
