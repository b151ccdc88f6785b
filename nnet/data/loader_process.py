"""One loader process, as the trainer sees it and from within."""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from common.errors import InputError
from common.interrupts import ENDING
from nnet.data.sampler import BatchPlan

LESS = "lower data.workers ({workers} now; with 0 the trainer reads itself), data.batch_size or data.audio_cache_mb"
AGAIN = "then give the same command again: it goes on from the last checkpoint"

FloatArray = npt.NDArray[np.float32]
Slots = npt.NDArray[np.float32]  # (places, floats of the largest batch)


class LoaderError(InputError):
    """Batches cannot be made, or do not arrive."""


# Chunks of a plan, float32 (B, T, F), and warnings; a str is the message of an error.
Reader = Callable[[BatchPlan], "tuple[FloatArray, tuple[str, ...]] | str"]


class LoaderProcess:
    """One loader process, as the trainer sees it.

    Args:
        read: makes the batch of a plan.
        slots: where chunks are put.
        others: the trainer's connections to other processes, which this one closes.
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
            return  # it has ended: `receive` reports it

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
        code = self.end()  # the process is ending already; this waits for it
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        cause = "most likely memory ran out: " if code in (-signal.SIGKILL, -signal.SIGBUS) else "if memory ran out, "
        return f"{title} {how}; {cause}{LESS.format(workers=workers)}; {AGAIN}"


def shared_slots(places: int, floats: int) -> Slots:
    """Memory that forked processes share: float32 (places, floats). Not a file: only the memory limits it."""
    memory = mmap.mmap(-1, max(1, 4 * places * floats))
    return np.frombuffer(memory, np.float32, places * floats).reshape(places, floats)


def _work(read: Reader, slots: Slots, connection: Connection[Any, Any], others: list[Connection[Any, Any]]) -> NoReturn:
    """The loader process, from its first instruction to its last."""
    status = 1
    try:
        for number in ENDING:  # the trainer gets them too: it saves, and then ends its loaders
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
    middle of a batch, or wait for a command forever."""
    trainer = select.poll()
    trainer.register(connection.fileno(), 0)  # no data: a hang-up alone is waited for
    trainer.poll()
    os.killpg(0, signal.SIGKILL)
