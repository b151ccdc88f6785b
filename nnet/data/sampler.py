"""Which chunks a training batch is made of: a pure function of the seed and the step.

So a run resumed at step k sees what the uninterrupted run sees, and the number of loader processes changes nothing.
The chunk length is part of the plan: it varies from batch to batch, and does not depend on the reader.

The work per step depends on the batch, not on the corpus; only when a new pass begins is a permutation drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from nnet.data.groups import Groups, SpeakerIndex, Triplets
from nnet.data.lists import UtteranceList

IntArray = npt.NDArray[np.int64]
Balance = Literal["none", "speakers", "jl", "groups", "triplets"]

# Independent random streams of one seed.
_CHUNKS, _PASSES, _ORDER, AUGMENTATION, MASKS, _UTTERANCES = 0, 1, 2, 3, 4, 5


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
    """How often each utterance of a speaker appears in a pass of `jl` balance: max(1, half // count).

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
    Balance `none` and `jl`: each pass visits all utterances in a new random order, `jl` with repetitions.
    Balance `groups`: rows n M … n M + M − 1 are different utterances of the n-th speaker, M = utterances_per_speaker;
    no speaker comes twice in a batch, and all come equally often. Speakers with fewer than M utterances are left out.
    Balance `triplets`: rows 3i, 3i + 1, 3i + 2 are an utterance, another one of the same speaker, and one of another
    speaker. All speakers come equally often as the first, except those with one utterance, which only come third.

    Args:
        utterances: the training list.
        chunk_frames: least and greatest chunk length, in frames; each batch draws one, evenly.
        batch_size: chunks in a batch; of groups a multiple of M, of triplets of 3.
        balance: see above.
        seed: of everything random here.
        utterances_per_speaker: M, of groups.

    Attributes:
        notes: which speakers are left out.

    Raises:
        InputError: too few speakers for a batch of groups or triplets; says what to change.
    """

    def __init__(
        self,
        utterances: UtteranceList,
        chunk_frames: tuple[int, int],
        batch_size: int,
        balance: Balance,
        seed: int,
        utterances_per_speaker: int = 2,
    ) -> None:
        self._num_frames = utterances.num_frames
        self._min_chunk, self._max_chunk = chunk_frames
        short = int((self._num_frames < self._min_chunk).sum())
        why = f"have fewer frames than the shortest chunk, {self._min_chunk}, and are repeated to fill chunks"
        self.notes: tuple[str, ...] = (f"{short} of {len(utterances)} utterances {why}",) if short else ()
        self._batch_size, self._balance, self._seed = batch_size, balance, seed
        self._layout: Groups | Triplets | None = None
        counts = np.bincount(utterances.speakers).astype(np.int64)
        if balance == "groups":
            self._layout = self._groups(SpeakerIndex(utterances.speakers), utterances_per_speaker)
            return
        if balance == "triplets":
            self._layout = self._triplets(SpeakerIndex(utterances.speakers))
            return
        if balance == "speakers":
            shuffled = np.random.default_rng([seed, _ORDER]).permutation(len(utterances))
            self._by_speaker = shuffled[np.argsort(utterances.speakers[shuffled], kind="stable")]
            self._counts, self._first = counts, np.cumsum(counts) - counts
            self._entries = np.flatnonzero(counts)  # speakers
        elif balance == "jl":
            self._entries = np.repeat(np.arange(len(utterances)), repetitions(counts)[utterances.speakers])
        else:
            self._entries = np.arange(len(utterances))
        self._pass, self._pass_order = -1, self._entries

    def plan(self, step: int) -> BatchPlan:
        """The batch of update `step`, from 1 on."""
        if self._layout is None:
            utts = self._utterances((step - 1) * self._batch_size + np.arange(self._batch_size))
        else:
            utts = self._layout.utterances(step, np.random.default_rng([self._seed, _UTTERANCES, step]))
        rng = np.random.default_rng([self._seed, _CHUNKS, step])
        chunk = int(rng.integers(self._min_chunk, self._max_chunk + 1))
        frames = self._num_frames[utts].astype(np.int64)
        # If the chunk fits, all its places; if it is longer than the utterance, any frame may be the first.
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

    def _groups(self, index: SpeakerIndex, size: int) -> Groups:
        needed = self._batch_size // size
        eligible = index.with_at_least(size)
        if len(eligible) < needed:
            room = f", or data.batch_size to at most {size * len(eligible)}" if len(eligible) > 1 else ""
            raise InputError(
                f"data.balance groups: a batch of {self._batch_size} chunks is of {needed} speakers with {size}"
                f" utterances each, but {len(eligible)} of {len(index.with_at_least(1))} training speakers have {size}"
                f" or more; lower data.utterances_per_speaker{room}"
            )
        self._note_left_out(index, eligible, f"fewer than {size} utterances (data.utterances_per_speaker)", "left out")
        return Groups(index, eligible, needed, size, (self._seed, _PASSES))

    def _triplets(self, index: SpeakerIndex) -> Triplets:
        eligible, speakers = index.with_at_least(2), len(index.with_at_least(1))
        if not len(eligible) or speakers < 2:
            raise InputError(
                "data.balance triplets: needs two training speakers, one of them with two utterances or more;"
                f" {len(eligible)} of {speakers} have so many; take more data, or another data.balance and loss"
            )
        self._note_left_out(index, eligible, "one utterance", "used only as negatives of triplets")
        return Triplets(index, eligible, self._batch_size // 3, (self._seed, _PASSES))

    def _note_left_out(self, index: SpeakerIndex, eligible: IntArray, why: str, what: str) -> None:
        speakers = len(index.with_at_least(1))
        few = speakers - len(eligible)
        if few:
            lost = int(index.counts.sum() - index.counts[eligible].sum())
            self.notes += (f"{few} of {speakers} speakers have {why} and are {what} ({lost} utterances)",)
