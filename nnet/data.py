"""Training batches: reading only the frames that a plan asks for, in loader processes or in this one.

A plan travels to the loader, the batch comes back; what is in it was decided by the plan alone (sampler.py).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from minikaldi.errors import KaldiError
from minikaldi.io import read_matrix_rows
from nnet.config import Config
from nnet.errors import NnetError
from nnet.lists import Utterances
from nnet.sampler import BatchPlan, BatchPlanner

FloatMatrix = npt.NDArray[np.float32]


class Batch(NamedTuple):
    """What update `step` learns from.

    step: from 1 on. feats: float32 (B, T, F). labels: int64 (B,). utts: int64 (B,), places in the training list.
    """

    step: int
    feats: torch.Tensor
    labels: torch.Tensor
    utts: npt.NDArray[np.int64]


def read_frames(utterances: Utterances, utt: int, start: int, num_frames: int, dim: int) -> FloatMatrix:
    """Frames of one utterance, repeated from its beginning where it ends before there are enough.

    Args:
        utterances: the list.
        utt: place in it.
        start: first frame, less than the utterance has.
        num_frames: frames wanted, T.
        dim: columns that the features must have, F.

    Returns:
        float32 (T, F).

    Raises:
        NnetError: unreadable, another number of columns or rows than expected, or a value that is not finite.
    """
    total = int(utterances.num_frames[utt])
    utt_id, rxfilename = utterances.utt_ids[utt], utterances.feats[utt]
    fits = start + num_frames <= total
    first, last = (start, start + num_frames) if fits else (0, total)
    try:
        rows = read_matrix_rows(rxfilename, first, last)
    except (KaldiError, OSError) as error:
        raise NnetError(f"{utt_id}: cannot read frames {first} to {last - 1} of {rxfilename}: {error}") from error
    if rows.shape != (last - first, dim):
        raise NnetError(
            f"{utt_id}: {rxfilename} gave {rows.shape[0]} frames of {rows.shape[1]} bins, expected {last - first}"
            f" frames (utt2num_frames) of {dim} bins (features.dim)"
        )
    check_finite(rows, f"{utt_id}: {rxfilename}", first)
    return rows if fits else rows[(start + np.arange(num_frames)) % total]


def check_finite(rows: FloatMatrix, where: str, first: int = 0) -> None:
    """Refuse features with NaN or infinity.

    Raises:
        NnetError: names `where` and the frame; `first` is the number of the first row.
    """
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise NnetError(
            f"{where}: frame {first + row}, bin {column} is {rows[row, column]}; make the features of this utterance"
            " anew, or remove it"
        )


class ChunkReader(Dataset[Batch | str]):
    """Reads the batch of a plan. A failure is returned as its message: an exception would lose its type and gain a
    traceback on its way out of a loader process."""

    def __init__(self, utterances: Utterances, dim: int) -> None:
        self._utterances, self._dim = utterances, dim

    def __getitem__(self, plan: BatchPlan) -> Batch | str:
        feats = np.empty((len(plan), plan.chunk_frames, self._dim), np.float32)
        try:
            for n, (utt, start) in enumerate(zip(plan.utts.tolist(), plan.starts.tolist(), strict=True)):
                feats[n] = read_frames(self._utterances, utt, start, plan.chunk_frames, self._dim)
        except NnetError as error:
            return str(error)
        labels = self._utterances.speakers[plan.utts].astype(np.int64)
        return Batch(plan.step, torch.from_numpy(feats), torch.from_numpy(labels), plan.utts)


class PlanSampler(Sampler[BatchPlan]):
    """The plans of steps `first` to `last`."""

    def __init__(self, planner: BatchPlanner, first: int, last: int) -> None:
        self._planner, self._first, self._last = planner, first, last

    def __iter__(self) -> Iterator[BatchPlan]:
        return (self._planner.plan(step) for step in range(self._first, self._last + 1))

    def __len__(self) -> int:
        return self._last + 1 - self._first


def training_batches(utterances: Utterances, config: Config, first: int, pin_memory: bool) -> Iterator[Batch]:
    """The batches of steps `first` to the last.

    Args:
        utterances: the training list.
        config: its sections features, data and training are used.
        first: step to begin with.
        pin_memory: make copying to a CUDA device asynchronous.

    Raises:
        NnetError: features that cannot be used, as in `read_frames`, or a loader process that ended.
    """
    data = config.data
    planner = BatchPlanner(utterances, data.chunk_frames, data.batch_size, data.balance, config.training.seed)
    loader = DataLoader(
        ChunkReader(utterances, config.features.dim),
        batch_size=None,
        sampler=PlanSampler(planner, first, config.training.steps),
        num_workers=data.workers,
        collate_fn=_unchanged,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_parent,
        generator=torch.Generator(),  # a loader draws a seed; drawn globally, it would tell a resumed run from another
    )
    try:
        for batch in loader:
            if isinstance(batch, str):
                raise NnetError(batch)
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise NnetError(
            f"{error}; most likely memory or /dev/shm ran out: lower data.workers (with 0 this process reads), or"
            " data.batch_size"
        ) from error


def _unchanged(batch: Any) -> Any:
    """The reader makes whole batches; there is nothing to collate."""
    return batch


def _leave_signals_to_parent(_: int) -> None:
    """An interrupt reaches the whole process group; the trainer finishes its step and then ends its loaders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
