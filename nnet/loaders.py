"""Loader processes: plans go in, batches come out, and what happens to a process is known at once.

Each process has a socket of its own. One that is killed takes no lock with it, and its end is read as the end of the
stream. Chunks come back in memory that is shared by inheritance: no file in /dev/shm, no file handle for a batch. A
process and the commands that it runs are a process group, and end with the trainer, however that ends.
"""

from __future__ import annotations

import logging
import mmap
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from minikaldi.errors import no_handles, why
from nnet.errors import NnetError
from nnet.sampler import BatchPlan

log = logging.getLogger("train")

PATIENCE = 600.0  # seconds that a batch is waited for: reading may be slow, but something hangs then
REMINDER = 30.0  # seconds after which a line says what is waited for
AHEAD = 2  # batches that a process makes before they are asked for
_POLL = 0.2  # seconds between two looks at whether a signal has come
_LESS = "lower data.workers ({workers} now; with 0 the trainer reads itself), data.batch_size or data.audio_cache_mb"
_AGAIN = "then give the same command again: it goes on from the last checkpoint"
# The trainer gets them too: it saves, and then ends its loaders.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

FloatArray = npt.NDArray[np.float32]
Slots = npt.NDArray[np.float32]  # (places, floats of the largest batch)


class Loaded(NamedTuple):
    """A batch from a process. feats: float32 (B, T, F). seconds: how long it took to make. notes: what was odd."""

    plan: BatchPlan
    feats: torch.Tensor
    seconds: float
    notes: tuple[str, ...]


class LoaderError(NnetError):
    """Batches cannot be made, or do not come."""


# Chunks of a plan, float32 (B, T, F), and what was odd; a str is the message of an error.
Reader = Callable[[BatchPlan], "tuple[FloatArray, tuple[str, ...]] | str"]


class Loaders:
    """Processes that make batches, in turn.

    Args:
        read: makes the batch of a plan.
        workers: processes, 1 or more.
        largest: floats of the largest batch.
        pin_memory: make copying to a CUDA device asynchronous.

    Raises:
        LoaderError: memory, file handles or processes ran out; says what to lower.
    """

    def __init__(self, read: Reader, workers: int, largest: int, pin_memory: bool = False) -> None:
        self._workers, self._pin_memory = workers, pin_memory
        self._replies: dict[int, Any] = {}
        self._processes: list[_Process] = []
        try:
            self._slots = _shared(AHEAD * workers, largest)
            for _ in range(workers):
                self._processes.append(_Process(read, self._slots, [each.connection for each in self._processes]))
        except (OSError, MemoryError) as error:
            self.close()
            less = "or lower data.workers" if no_handles(error) else _LESS.format(workers=workers)
            raise LoaderError(f"{workers} loader processes cannot be started: {why(error)}; {less}") from error

    def batches(self, plans: Iterable[BatchPlan], stopped: Callable[[], object]) -> Iterator[Loaded]:
        """The batches of the plans. They end early where one is not there yet and `stopped` says so.

        Raises:
            LoaderError: a batch cannot be made, a process ended, or gave nothing for long.
        """
        numbered = enumerate(plans)
        sent: dict[int, BatchPlan] = {}
        for number in count():
            self._send(islice(numbered, len(self._slots) - len(sent)), sent)
            reply = self._reply(number, stopped) if number in sent else None
            if reply is None:
                return
            shape, seconds, notes = reply
            slot = self._slots[number % len(self._slots)]
            feats = torch.empty(shape, pin_memory=self._pin_memory)
            feats.numpy()[:] = slot[: feats.numel()].reshape(shape)
            plan = sent.pop(number)
            self._send(islice(numbered, 1), sent)  # its place is free: the process need not wait for this step
            yield Loaded(plan, feats, seconds, notes)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
        self._processes = []

    def _send(self, numbered: Iterable[tuple[int, BatchPlan]], sent: dict[int, BatchPlan]) -> None:
        for number, plan in numbered:
            sent[number] = plan
            self._process(number).send(number, plan)

    def _process(self, number: int) -> _Process:
        return self._processes[number % self._workers]

    def _reply(self, number: int, stopped: Callable[[], object]) -> Any:
        """What came back for plan `number`; None where the waiting was stopped. A failure of a later batch counts at
        once."""
        begin = time.monotonic()
        reminder = REMINDER
        self._receive(0.0)
        while number not in self._replies:
            self._receive(_POLL)
            if number in self._replies:
                break
            if stopped():
                return None
            process, waited = self._process(number), time.monotonic() - begin
            if waited > PATIENCE:
                raise LoaderError(
                    f"{process.title} has given nothing for {waited:.0f} seconds; the disk, or a command of a list, may"
                    f" hang; if the machine is only slow, {_LESS.format(workers=self._workers)}; {_AGAIN}"
                )
            if waited > reminder:
                log.warning("%s has given nothing for %.0f seconds", process.title, waited)
                reminder *= 2
        return self._replies.pop(number)

    def _receive(self, seconds: float) -> None:
        """Take what the processes have sent, or what they send within some seconds."""
        by_connection = {process.connection: process for process in self._processes}
        for connection in wait(list(by_connection), seconds):
            process = by_connection[connection]  # type: ignore[index]
            number, kind, content = process.receive(self._workers)
            if kind == "error":
                raise LoaderError(content)
            if kind == "fault":
                raise RuntimeError(f"a fault of the loader processes:\n{content}")
            self._replies[number] = content


class _Process:
    """One loader process, seen by the trainer. step: of the batch that it makes.

    Args:
        read: makes the batch of a plan.
        slots: where chunks are put.
        others: the trainer's connections to other processes, of no use to this one.
    """

    def __init__(self, read: Reader, slots: Slots, others: list[Connection[Any, Any]]) -> None:
        self.connection, theirs = Pipe()
        self._steps: list[int] = []
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self.pid = os.fork()
        except OSError:
            self.connection.close()
            theirs.close()
            raise
        if self.pid == 0:
            _work(read, slots, theirs, [self.connection, *others])
        theirs.close()

    @property
    def title(self) -> str:
        """How messages name it."""
        work = f", which makes the batch of step {self._steps[0]}," if self._steps else ""
        return f"loader process {self.pid}{work}"

    def send(self, number: int, plan: BatchPlan) -> None:
        """Ask for a batch."""
        self._steps.append(plan.step)
        try:
            self.connection.send((number, plan))
        except OSError:
            return  # it has ended: known as soon as it is heard

    def receive(self, workers: int) -> tuple[int, str, Any]:
        """Number of the plan, `batch`, `error` or `fault`, and what goes with it.

        Raises:
            LoaderError: the process has ended; says how.
        """
        try:
            number, kind, content = self.connection.recv()
        except (EOFError, OSError) as error:
            raise LoaderError(self._end_in_words(workers)) from error
        self._steps.pop(0)
        return number, kind, content

    def end(self) -> int:
        """End the process and the commands that it runs; returns its exit code, negative where a signal ended it."""
        if self.pid == 0:
            return 0
        for kill in (os.killpg, os.kill):  # it may not be a group yet
            try:
                kill(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        pid, self.pid = self.pid, 0
        self.connection.close()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _end_in_words(self, workers: int) -> str:
        title = self.title
        code = self.end()  # what it was, whoever asks: the process is ending already
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        cause = "most likely memory ran out: " if code in (-signal.SIGKILL, -signal.SIGBUS) else "if memory ran out, "
        return f"{title} {how}; {cause}{_LESS.format(workers=workers)}; {_AGAIN}"


def _shared(places: int, floats: int) -> Slots:
    """Memory that forked processes share: float32 (places, floats). It is no file, and has no limit but the memory."""
    memory = mmap.mmap(-1, max(1, 4 * places * floats))
    return np.frombuffer(memory, np.float32, places * floats).reshape(places, floats)


def _work(read: Reader, slots: Slots, connection: Connection[Any, Any], others: list[Connection[Any, Any]]) -> NoReturn:
    """The loader process, from its first instruction to its last."""
    status = 1
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        os.setpgid(0, 0)
        for other in others:
            other.close()
        threading.Thread(target=_end_with_trainer, args=(connection,), daemon=True).start()
        torch.set_num_threads(1)  # the threads of the trainer's pool are not here
        while True:
            number, plan = connection.recv()
            connection.send((number, *_answer(read, plan, slots[number % len(slots)])))
    except (EOFError, ConnectionError):  # the trainer is gone
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(read: Reader, plan: BatchPlan, slot: FloatArray) -> tuple[str, Any]:
    """`batch` with the shape of its chunks, which are put into the slot; `error` with its message; or `fault`."""
    begin = time.monotonic()
    try:
        made = read(plan)
        if isinstance(made, str):
            return "error", made
        chunks, notes = made
        slot[: chunks.size] = chunks.reshape(-1)
        return "batch", (chunks.shape, time.monotonic() - begin, notes)
    except Exception:
        return "fault", f"the batch of step {plan.step} cannot be made:\n{traceback.format_exc()}"


def _end_with_trainer(connection: Connection[Any, Any]) -> None:
    """End this process and the commands that it runs when the trainer's end of the socket is closed: it may be in the
    middle of a batch, or wait for a command for ever."""
    trainer = select.poll()
    trainer.register(connection.fileno(), 0)  # no data: a hang-up alone is waited for
    trainer.poll()
    os.killpg(0, signal.SIGKILL)
