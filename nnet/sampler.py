"""Which chunks a training batch is made of: a pure function of the seed and the step.

So a run resumed at step k sees what the uninterrupted run sees, and the number of loader processes changes nothing.
The chunk length is part of the plan: it varies from batch to batch whoever reads the data.

The work per step depends on the batch, not on the corpus; only when a new pass begins is a permutation drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nnet.lists import Utterances

IntArray = npt.NDArray[np.int64]
Balance = Literal["none", "speakers", "seed"]

# Independent random streams of one seed.
_CHUNKS, _PASSES, _ORDER, AUGMENTATION, MASKS = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class BatchPlan:
    """One batch: chunk n is `chunk_frames` frames of utterance `utts[n]` from frame `starts[n]` on.

    An utterance shorter than the chunk is repeated: frame indices count modulo its length.
    """

    step: int
    chunk_frames: int
    utts: IntArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.utts)


def repetitions(counts: IntArray) -> IntArray:
    """How often each utterance of a speaker appears in a pass of `seed` balance: max(1, half // count).

    half = (largest count + 1) // 2. Rare speakers are boosted, frequent ones never cut: 400, 200, 150, 100, 60 and 10
    utterances become 400, 200, 150, 200, 180 and 200.

    Args:
        counts: utterances of each speaker, shape (S,).
    """
    half = (int(counts.max(initial=0)) + 1) // 2
    return np.maximum(1, half // np.maximum(counts, 1))


class BatchPlanner:
    """Plans batches.

    Balance `speakers`: each pass visits all speakers in a new random order, so that no speaker comes twice before all
    have come once; visit n to a speaker takes the n-th of its utterances in a fixed random order, round and round.
    Balance `none` and `seed`: each pass visits all utterances in a new random order, `seed` with repetitions.

    Args:
        utterances: the training list.
        chunk_frames: least and greatest chunk length, in frames; each batch draws one, evenly.
        batch_size: chunks in a batch.
        balance: see above.
        seed: of everything random here.
    """

    def __init__(
        self, utterances: Utterances, chunk_frames: tuple[int, int], batch_size: int, balance: Balance, seed: int
    ) -> None:
        self._num_frames = utterances.num_frames
        self._min_chunk, self._max_chunk = chunk_frames
        self._batch_size, self._balance, self._seed = batch_size, balance, seed
        counts = np.bincount(utterances.speakers).astype(np.int64)
        if balance == "speakers":
            shuffled = np.random.default_rng([seed, _ORDER]).permutation(len(utterances))
            self._by_speaker = shuffled[np.argsort(utterances.speakers[shuffled], kind="stable")]
            self._counts, self._first = counts, np.cumsum(counts) - counts
            self._entries = np.flatnonzero(counts)  # speakers
        elif balance == "seed":
            self._entries = np.repeat(np.arange(len(utterances)), repetitions(counts)[utterances.speakers])
        else:
            self._entries = np.arange(len(utterances))
        self._pass, self._pass_order = -1, self._entries

    @property
    def pass_length(self) -> int:
        """Chunks in a pass."""
        return len(self._entries)

    def plan(self, step: int) -> BatchPlan:
        """The batch of update `step`, from 1 on."""
        utts = self._utterances((step - 1) * self._batch_size + np.arange(self._batch_size))
        rng = np.random.default_rng([self._seed, _CHUNKS, step])
        chunk = int(rng.integers(self._min_chunk, self._max_chunk + 1))
        frames = self._num_frames[utts].astype(np.int64)
        # Where the chunk fits, all its places; where it is longer than the utterance, any frame may be the first.
        places = np.where(frames >= chunk, frames - chunk + 1, frames)
        starts = (rng.random(self._batch_size) * places).astype(np.int64)
        return BatchPlan(step, chunk, utts, starts)

    def _utterances(self, visits: IntArray) -> IntArray:
        """Utterance of each visit, counted from the beginning of training."""
        passes, places = np.divmod(visits, len(self._entries))
        entries = np.concatenate([self._order(int(p))[places[passes == p]] for p in np.unique(passes)])
        if self._balance != "speakers":
            return entries
        return self._by_speaker[self._first[entries] + passes % self._counts[entries]]

    def _order(self, number: int) -> IntArray:
        """The order of pass `number`; the latest is kept."""
        if number != self._pass:
            self._pass_order = np.random.default_rng([self._seed, _PASSES, number]).permutation(self._entries)
            self._pass = number
        return self._pass_order
