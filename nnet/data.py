"""Training batches: reading only what a plan asks for, in loader processes or in this one.

A plan travels to the loader, the batch comes back; what is in it was decided by the plan and the seed alone
(sampler.py). Chunks come from features here, or from audio (wave_data.py).
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from minikaldi.errors import KaldiError
from minikaldi.io import read_matrix_rows
from nnet.augment import Step
from nnet.augment.masks import apply_masks
from nnet.augment.material import Notes
from nnet.config import Config
from nnet.errors import NnetError
from nnet.lists import Utterances
from nnet.sampler import MASKS, BatchPlan, BatchPlanner

log = logging.getLogger("train")

PATIENCE = 600  # seconds for a batch: a loader that cannot hand one over (its shared memory may not grow) says nothing

FloatMatrix = npt.NDArray[np.float32]


class Batch(NamedTuple):
    """What update `step` learns from.

    step: from 1 on. feats: float32 (B, T, F). labels: int64 (B,). utts: int64 (B,), places in the training list.
    seconds: how long it took to make. notes: what was odd, each told once by a process.
    """

    step: int
    feats: torch.Tensor
    labels: torch.Tensor
    utts: npt.NDArray[np.int64]
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


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


class ChunkSource(Protocol):
    """Where chunks come from. notes: what was odd."""

    notes: Notes

    def chunks(self, plan: BatchPlan) -> FloatMatrix:
        """The chunks of a plan, float32 (B, T, F); NnetError where they cannot be made."""


class FeatureChunks:
    """Chunks of features in archives."""

    def __init__(self, utterances: Utterances, dim: int) -> None:
        self.notes = Notes()
        self._utterances, self._dim = utterances, dim

    def chunks(self, plan: BatchPlan) -> FloatMatrix:
        """See ChunkSource."""
        feats = np.empty((len(plan), plan.chunk_frames, self._dim), np.float32)
        for n, (utt, start) in enumerate(zip(plan.utts.tolist(), plan.starts.tolist(), strict=True)):
            feats[n] = read_frames(self._utterances, utt, start, plan.chunk_frames, self._dim)
        return feats


class ChunkReader(Dataset[Batch | str]):
    """Makes the batch of a plan. A failure is returned as its message: an exception would lose its type and gain a
    traceback on its way out of a loader process.

    Args:
        source: where chunks come from.
        speakers: int32 (N,), the class of each utterance.
        masks: the steps that hide parts of the features.
        seed: of what the masks draw.
    """

    def __init__(
        self, source: ChunkSource, speakers: npt.NDArray[np.int32], masks: tuple[Step, ...], seed: int
    ) -> None:
        self._source, self._speakers, self._masks, self._seed = source, speakers, masks, seed

    def __getitem__(self, plan: BatchPlan) -> Batch | str:
        begin = time.monotonic()
        try:
            feats = self._source.chunks(plan)
        except NnetError as error:
            return str(error)
        if self._masks:
            for n, chunk in enumerate(feats):
                rng = np.random.default_rng([self._seed, MASKS, plan.step, n])
                chunk[:] = apply_masks(chunk, self._masks, rng)
        labels = torch.from_numpy(self._speakers[plan.utts].astype(np.int64))
        seconds, notes = time.monotonic() - begin, self._source.notes.take()
        return Batch(plan.step, torch.from_numpy(feats), labels, plan.utts, seconds, notes)


class PlanSampler(Sampler[BatchPlan]):
    """The plans of steps `first` to `last`."""

    def __init__(self, planner: BatchPlanner, first: int, last: int) -> None:
        self._planner, self._first, self._last = planner, first, last

    def __iter__(self) -> Iterator[BatchPlan]:
        return (self._planner.plan(step) for step in range(self._first, self._last + 1))

    def __len__(self) -> int:
        return self._last + 1 - self._first


def training_batches(
    utterances: Utterances, config: Config, first: int, pin_memory: bool, source: ChunkSource | None = None
) -> Iterator[Batch]:
    """The batches of steps `first` to the last; what was odd about them is logged, each once.

    Args:
        utterances: the training list.
        config: its sections features, data, training and augment are used.
        first: step to begin with.
        pin_memory: make copying to a CUDA device asynchronous.
        source: where the chunks come from; None for the features of the list.

    Raises:
        NnetError: features or audio that cannot be used, too few speakers for the batches, or a loader process that
            ended or gave nothing for ten minutes.
    """
    data = config.data
    source = source or FeatureChunks(utterances, config.features.dim)
    told: set[str] = set()
    seed, size = config.training.seed, data.utterances_per_speaker
    planner = BatchPlanner(utterances, data.chunk_frames, data.batch_size, data.balance, seed, size)
    for note in planner.notes:
        log.warning("%s", note)
    loader = DataLoader(
        ChunkReader(source, utterances.speakers, config.augment.features, seed),
        batch_size=None,
        sampler=PlanSampler(planner, first, config.training.steps),
        num_workers=data.workers,
        collate_fn=_unchanged,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_parent,
        timeout=PATIENCE if data.workers else 0,
        generator=torch.Generator(),  # a loader draws a seed; drawn globally, it would tell a resumed run from another
    )
    try:
        for batch in loader:
            if isinstance(batch, str):
                raise NnetError(batch)
            for note in batch.notes:
                if note not in told:  # each process tells it once
                    log.warning("%s", note)
                    told.add(note)
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) and "DataLoader timed out" not in str(error):
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
