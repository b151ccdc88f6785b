"""Loader processes: plans go in, batches come out, and the end of a process is noticed at once.

Each process has its own socket. A killed process leaves no lock, and its end is read as the end of the stream. Chunks
come back in memory that is shared by inheritance: no file in /dev/shm, no file handle for a batch. A process and the
commands that it runs are a process group, and end with the trainer, however it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from multiprocessing.connection import wait
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import torch

from common.errors import no_handles, why
from nnet.data.loader_process import AGAIN, LESS, LoaderError, LoaderProcess, Reader, shared_slots
from nnet.data.sampler import BatchPlan

log = logging.getLogger("train")

PATIENCE = 600.0  # seconds that a batch is waited for: reading may be slow, but something hangs then
REMINDER = 30.0  # seconds after which a line says what is waited for
AHEAD = 2  # batches that a process makes before they are asked for
_POLL = 0.2  # seconds between two looks at whether a signal has come


class Loaded(NamedTuple):
    """A batch from a process.

    Attributes:
        plan: what was asked for.
        feats: float32 (B, T, F).
        seconds: how long it took to make.
        notes: warnings about it.
    """

    plan: BatchPlan
    feats: torch.Tensor
    seconds: float
    notes: tuple[str, ...]


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
        self._processes: list[LoaderProcess] = []
        try:
            self._slots = shared_slots(AHEAD * workers, largest)
            for _ in range(workers):
                self._processes.append(LoaderProcess(read, self._slots, [each.connection for each in self._processes]))
        except (OSError, MemoryError) as error:
            self.close()
            less = "or lower data.workers" if no_handles(error) else LESS.format(workers=workers)
            raise LoaderError(f"{workers} loader processes cannot be started: {why(error)}; {less}") from error

    def batches(self, plans: Iterable[BatchPlan], stopped: Callable[[], object]) -> Iterator[Loaded]:
        """The batches of the plans. They end early if one is not there yet and `stopped()` is true.

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

    def _process(self, number: int) -> LoaderProcess:
        return self._processes[number % self._workers]

    def _reply(self, number: int, stopped: Callable[[], object]) -> Any:
        """What came back for plan `number`; None if the waiting was stopped. A failure of a later batch counts at
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
                    f" hang; if the machine is only slow, {LESS.format(workers=self._workers)}; {AGAIN}"
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


def read_here(
    read: Reader, plans: Iterable[BatchPlan], pin_memory: bool, stopped: Callable[[], object]
) -> Iterator[Loaded]:
    """The batches of the plans, read by this process; see `Loaders.batches`.

    A thread reads, so that a signal counts even if a disk, or a command of a list, never answers.

    Raises:
        LoaderError: a batch cannot be made.
    """
    asked: SimpleQueue[BatchPlan | None] = SimpleQueue()
    answers: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_read_here, args=(read, asked, answers), daemon=True).start()
    try:
        for plan in plans:
            begin = time.monotonic()
            asked.put(plan)
            answer = None
            while answer is None:
                try:
                    answer = answers.get(timeout=_POLL)
                except Empty:
                    if stopped():
                        return
            if isinstance(answer, Exception):
                raise answer
            feats = torch.from_numpy(answer[0])
            seconds = time.monotonic() - begin
            yield Loaded(plan, feats.pin_memory() if pin_memory else feats, seconds, answer[1])
    finally:
        asked.put(None)


def _read_here(read: Reader, asked: SimpleQueue[BatchPlan | None], answers: SimpleQueue[Any]) -> None:
    while (plan := asked.get()) is not None:
        try:
            made = read(plan)
            answers.put(LoaderError(made) if isinstance(made, str) else made)
        except Exception as error:  # raised where the batch is waited for
            answers.put(error)
