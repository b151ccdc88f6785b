"""Batches that metric losses compare within: groups of utterances of one speaker, and triplets.

Speakers are visited in rounds; each round visits all of them once, in a new random order, and no speaker comes twice in
a batch. So all are seen equally often, and the speakers of a batch vary. The utterances of a visit are drawn again each
time, from the seed and the step only. The work per batch depends on the batch; only a new round costs a permutation of
the speakers.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


class SpeakerIndex:
    """The utterances of each speaker.

    Args:
        speakers: the speaker of each utterance, (N,).
    """

    def __init__(self, speakers: npt.NDArray[np.int32]) -> None:
        self._utts = np.argsort(speakers, kind="stable").astype(np.int64)
        self.counts = np.bincount(speakers).astype(np.int64)
        self._first = np.cumsum(self.counts) - self.counts

    def __len__(self) -> int:
        return len(self.counts)

    def with_at_least(self, utterances: int) -> IntArray:
        """The speakers that have so many."""
        return np.flatnonzero(self.counts >= utterances)

    def draw(self, speakers: IntArray, size: int, rng: np.random.Generator) -> IntArray:
        """Different utterances of each of some speakers, in random order; each choice is equally likely.

        Args:
            speakers: (K,), each with at least `size` utterances.
            size: utterances of each, M.
            rng: where they are drawn from.

        Returns:
            (K, M).

        Source: Floyd's algorithm, in Bentley and Floyd 1987, "Programming pearls: A sample of brilliance": its
        time depends on the size of the sample only.
        """
        places = np.empty((len(speakers), size), np.int64)
        for taken in range(size):
            last = self.counts[speakers] - size + taken  # the greatest place that may be drawn in this round
            drawn = rng.integers(0, last + 1)
            is_new = (places[:, :taken] != drawn[:, None]).all(axis=1)
            places[:, taken] = np.where(is_new, drawn, last)
        return self._utts[self._first[speakers][:, None] + rng.permuted(places, axis=1)]


class Rounds:
    """Batches of `size` speakers: all come equally often, none twice in a batch.

    The size need not divide the number of speakers, so a batch may hold the end of one round and the beginning of the
    next. There, the speakers that are already in the batch come after others. As many rounds as fill whole batches
    are a cycle; cycles do not depend on each other, so that a batch is found without all those before it.

    Args:
        speakers: who is visited, S of them.
        size: speakers of a batch, at most S.
        seed: of the orders.
    """

    def __init__(self, speakers: IntArray, size: int, seed: tuple[int, ...]) -> None:
        assert 0 < size <= len(speakers)
        self._speakers, self._size, self._seed = speakers, size, seed
        self._per_cycle = size // gcd(len(speakers), size)
        self._kept: dict[int, IntArray] = {}  # the latest orders, by the number of their round

    def batch(self, number: int) -> IntArray:
        """The speakers of batch `number`, from 0 on; (size,)."""
        visits = number * self._size + np.arange(self._size)
        rounds, places = np.divmod(visits, len(self._speakers))
        return np.concatenate([self._order(int(each))[places[rounds == each]] for each in np.unique(rounds)])

    def _order(self, number: int) -> IntArray:
        """The order of round `number`; those of a cycle are made one after another."""
        first = number - number % self._per_cycle
        begin = max((kept for kept in self._kept if first <= kept <= number), default=first - 1)
        for each in range(begin + 1, number + 1):
            before = self._kept.get(each - 1) if each > first else None
            self._kept = {kept: order for kept, order in self._kept.items() if kept == each - 1}
            self._kept[each] = self._new_order(each, before)
        return self._kept[number]

    def _new_order(self, number: int, before: IntArray | None) -> IntArray:
        order = np.random.default_rng([*self._seed, number]).permutation(self._speakers)
        begun = number * len(self._speakers) % self._size  # of the batch that the last round left incomplete
        if before is None or begun == 0:
            return order
        free = np.flatnonzero(~np.isin(order, before[-begun:]))[: self._size - begun]
        return np.concatenate([order[free], np.delete(order, free)])


class Groups:
    """Batches of groups; see nnet/data/sampler.py.

    Args:
        index: the utterances of each speaker.
        speakers: those with enough of them.
        num_groups: N.
        size: utterances of a group, M.
        seed: of the order in which speakers come.
    """

    def __init__(
        self, index: SpeakerIndex, speakers: IntArray, num_groups: int, size: int, seed: tuple[int, ...]
    ) -> None:
        self._index, self._size = index, size
        self._rounds = Rounds(speakers, num_groups, seed)

    def utterances(self, step: int, rng: np.random.Generator) -> IntArray:
        """Those of step `step`, from 1 on; (N M,)."""
        return self._index.draw(self._rounds.batch(step - 1), self._size, rng).ravel()


class Triplets:
    """Batches of triplets; see nnet/data/sampler.py.

    Args:
        index: the utterances of each speaker.
        anchors: speakers with two of them or more.
        num_triplets: K.
        seed: of the order in which speakers come as anchors.
    """

    def __init__(self, index: SpeakerIndex, anchors: IntArray, num_triplets: int, seed: tuple[int, ...]) -> None:
        self._index, self._num_triplets = index, num_triplets
        self._all = index.with_at_least(1)
        self._place = np.cumsum(index.counts > 0) - 1  # of each speaker in self._all
        self._size = min(num_triplets, len(anchors))
        self._rounds = Rounds(anchors, self._size, seed)

    def utterances(self, step: int, rng: np.random.Generator) -> IntArray:
        """Those of step `step`, from 1 on; (3 K,)."""
        anchors = self._anchors(step)
        # Any of the others, evenly: so many places further on, around.
        further = rng.integers(1, len(self._all), size=len(anchors))
        negatives = self._all[(self._place[anchors] + further) % len(self._all)]
        pairs, others = self._index.draw(anchors, 2, rng), self._index.draw(negatives, 1, rng)
        return np.concatenate([pairs, others], axis=1).ravel()

    def _anchors(self, step: int) -> IntArray:
        """The anchors' speakers of a step, (K,); where they are fewer than K, rounds follow one another in a batch."""
        first, last = (step - 1) * self._num_triplets, step * self._num_triplets
        batches = range(first // self._size, -(-last // self._size))
        visits = np.concatenate([self._rounds.batch(number) for number in batches])
        offset = first - batches.start * self._size
        return visits[offset : offset + self._num_triplets]
