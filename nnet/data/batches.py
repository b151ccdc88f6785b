"""Training batches: a loader process, or this process, reads only what a plan asks for.

A plan goes to the loader and the batch comes back. Its content depends on the plan and the seed only (sampler.py).
Chunks come from features (here) or from audio (wave_data.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from common.errors import InputError, KaldiError, no_handles, why
from minikaldi.io import read_matrix_rows
from nnet.augment import Step
from nnet.augment.masks import apply_masks
from nnet.augment.material import Notes
from nnet.config.experiment import Config
from nnet.data.lists import UtteranceList
from nnet.data.loaders import Loaded, Loaders, read_here
from nnet.data.sampler import MASKS, BatchPlan, BatchPlanner

log = logging.getLogger("train")

FloatMatrix = npt.NDArray[np.float32]


class Batch(NamedTuple):
    """The input of update `step`.

    Attributes:
        step: from 1 on.
        feats: float32 (B, T, F).
        labels: int64 (B,), speakers.
        utts: int64 (B,), places in the training list.
        seconds: how long it took to make.
    """

    step: int
    feats: torch.Tensor
    labels: torch.Tensor
    utts: npt.NDArray[np.int64]
    seconds: float = 0.0


def read_frames(utterances: UtteranceList, utt: int, start: int, num_frames: int, dim: int) -> FloatMatrix:
    """Frames of one utterance, repeated from its beginning if it has too few.

    Args:
        utterances: the list.
        utt: place in it.
        start: first frame, less than the utterance has.
        num_frames: frames wanted, T.
        dim: columns that the features must have, F.

    Returns:
        float32 (T, F).

    Raises:
        InputError: unreadable, another number of columns or rows than expected, or a value that is not finite.
    """
    total = int(utterances.num_frames[utt])
    utt_id, rxfilename = utterances.utt_ids[utt], utterances.feats[utt]
    fits = start + num_frames <= total
    first, last = (start, start + num_frames) if fits else (0, total)
    try:
        rows = read_matrix_rows(rxfilename, first, last)
    except (KaldiError, OSError) as error:
        raise InputError(f"{utt_id}: cannot read frames {first} to {last - 1} of {rxfilename}: {error}") from error
    if rows.shape != (last - first, dim):
        raise InputError(
            f"{utt_id}: {rxfilename} gave {rows.shape[0]} frames of {rows.shape[1]} bins, expected {last - first}"
            f" frames (utt2num_frames) of {dim} bins (features.dim)"
        )
    check_finite(rows, f"{utt_id}: {rxfilename}", first)
    return rows if fits else rows[(start + np.arange(num_frames)) % total]


def check_finite(rows: FloatMatrix, where: str, first: int = 0) -> None:
    """Refuse features with NaN or infinity.

    Raises:
        InputError: names `where` and the frame; `first` is the number of the first row.
    """
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise InputError(
            f"{where}: frame {first + row}, bin {column} is {rows[row, column]}; make the features of this utterance"
            " again, or remove it"
        )


class ChunkSource(Protocol):
    """Where chunks come from.

    Attributes:
        notes: warnings about them.
    """

    notes: Notes

    def chunks(self, plan: BatchPlan) -> FloatMatrix:
        """The chunks of a plan, float32 (B, T, F); InputError if they cannot be made."""


class FeatureChunks:
    """Chunks of features in archives."""

    def __init__(self, utterances: UtteranceList, dim: int) -> None:
        self.notes = Notes()
        self._utterances, self._dim = utterances, dim

    def chunks(self, plan: BatchPlan) -> FloatMatrix:
        """See ChunkSource."""
        feats = np.empty((len(plan), plan.chunk_frames, self._dim), np.float32)
        for n, (utt, start) in enumerate(zip(plan.utts.tolist(), plan.starts.tolist(), strict=True)):
            feats[n] = read_frames(self._utterances, utt, start, plan.chunk_frames, self._dim)
        return feats


class ChunkReader:
    """Makes the chunks of a plan. A failure is returned as its message: an exception from a loader process would lose
    its type and gain a traceback.

    Args:
        source: where chunks come from.
        masks: the steps that hide parts of the features.
        seed: of the masks.
    """

    def __init__(self, source: ChunkSource, masks: tuple[Step, ...], seed: int) -> None:
        self._source, self._masks, self._seed = source, masks, seed

    def __call__(self, plan: BatchPlan) -> tuple[FloatMatrix, tuple[str, ...]] | str:
        """Chunks, float32 (B, T, F), and warnings; or the message of an error."""
        try:
            feats = self._source.chunks(plan)
        except (InputError, OSError) as error:
            return _with_way_out(error)
        except MemoryError as error:
            less = "lower data.batch_size, data.audio_cache_mb or data.workers"
            return f"step {plan.step}: memory ran out, {less}: {error}"
        for n, chunk in enumerate(feats if self._masks else ()):
            rng = np.random.default_rng([self._seed, MASKS, plan.step, n])
            chunk[:] = apply_masks(chunk, self._masks, rng)
        return feats, self._source.notes.take()


def _with_way_out(error: BaseException) -> str:
    """The message of an error; if file handles ran out, with what to do."""
    cause: BaseException | None = error
    while cause is not None and not no_handles(cause):
        cause = cause.__cause__
    return str(error) if cause is None or "ulimit" in str(error) else f"{error}; {why(cause)}"


class Feed:
    """Batches up to the first failure, which is kept: what was learned before it can still be saved.

    Attributes:
        failure: why the batches ended early; None if they did not, or were stopped.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.failure: Exception | None = None
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self._batches
        except Exception as error:
            self.failure = error


def training_batches(
    utterances: UtteranceList,
    config: Config,
    first: int,
    pin_memory: bool,
    source: ChunkSource | None = None,
    stopped: Callable[[], object] = lambda: False,
) -> Iterator[Batch]:
    """The batches of steps `first` to the last; each warning about them is logged once.

    Args:
        utterances: the training list.
        config: its sections features, data, training and augment are used.
        first: step to begin with.
        pin_memory: make copying to a CUDA device asynchronous.
        source: where the chunks come from; None for the features of the list.
        stopped: called while waiting for a loader process; the batches end if it returns true.

    Raises:
        InputError: features or audio that cannot be used, or too few speakers for the batches.
        LoaderError: a loader process ended, or gave nothing for ten minutes.
    """
    data = config.data
    source = source or FeatureChunks(utterances, config.features.dim)
    shown: set[str] = set()
    seed, size = config.training.seed, data.utterances_per_speaker
    planner = BatchPlanner(utterances, data.chunk_frames, data.batch_size, data.balance, seed, size)
    for note in planner.notes:
        log.warning("%s", note)
    plans = (planner.plan(step) for step in range(first, config.training.steps + 1))
    read = ChunkReader(source, config.augment.features, seed)
    largest = data.batch_size * data.chunk_frames[1] * config.features.dim
    for plan, feats, seconds, notes in _loaded(read, plans, data.workers, largest, pin_memory, stopped):
        for note in notes:
            if note not in shown:  # each process reports it once
                log.warning("%s", note)
                shown.add(note)
        labels = torch.from_numpy(utterances.speakers[plan.utts].astype(np.int64))
        yield Batch(plan.step, feats, labels, plan.utts, seconds)


def _loaded(
    read: ChunkReader,
    plans: Iterator[BatchPlan],
    workers: int,
    largest: int,
    pin_memory: bool,
    stopped: Callable[[], object],
) -> Iterator[Loaded]:
    """The batches of the plans, read by loader processes; by this process if `workers` is 0."""
    if workers:
        with closing(Loaders(read, workers, largest, pin_memory)) as loaders:
            yield from loaders.batches(plans, stopped)
        return
    yield from read_here(read, plans, pin_memory, stopped)
