"""What tests of training share: reading a run's results, comparing two runs, and stopping one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from nnet import train as train_module
from nnet.data.batches import Batch
from nnet.training.checkpoint import Checkpoint


def curve(exp: Path) -> list[list[str]]:
    """Lines of the curve without the times."""
    return [line.split("\t")[:-3] for line in (exp / "curve.tsv").read_text().splitlines()]


def equal_tensors(a: Any, b: Any) -> bool:
    """Bit for bit, through dicts and lists."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_tensors(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal_tensors, a, b))
    return bool(a == b)


def equal_states(a: Checkpoint, b: Checkpoint) -> bool:
    """All that a run goes on from."""
    names = ("step", "model", "optimizer", "rng", "meter", "best_eer", "best_step")
    return all(equal_tensors(getattr(a, name), getattr(b, name)) for name in names)


@contextmanager
def terminated_at(stop: int, *numbers: int, loaders: bool = False) -> Iterator[None]:
    """A training run, perhaps with its loaders, gets SIGTERM or these when the batch of step `stop` has come."""
    real = train_module.timed

    def timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
        for batch, waited in real(batches):
            if batch.step == stop:
                for number in numbers or (signal.SIGTERM,):
                    children = Path("/proc/thread-self/children").read_text().split() if loaders else []
                    assert bool(children) == loaders
                    for child in children:
                        os.kill(int(child), number)
                    os.kill(os.getpid(), number)
            yield batch, waited

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "timed", timed)
        yield
