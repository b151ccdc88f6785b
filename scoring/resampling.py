"""EER and minDCF of many resamples of the speakers, exactly, without a pass over all trials for each.

The trials are sorted by score once and cut into blocks at some operating points. With m(s), how often speaker s was
drawn, the weights of a block's trials sum up to ∑ m(s) over its target trials and ∑ m(a) · m(b) over its nontarget
trials. Sparse matrix products give these sums for some hundred resamples at once: counts of pairs times draws. The sums
over the blocks from the left are FNR and FPR at the cuts.

Both rates are monotone in the threshold. So the crossing of FNR and FPR is in the block where the sign of FNR − FPR
changes, and the cost of a point in a block is at least c_miss · p · FNR at its beginning + c_fa · (1 − p) · FPR at its
end. Only blocks where this bound is below the least cost at the cuts can hold a lower one. The trials of these blocks
alone are weighed one by one.

The results equal those of weighing every trial to the last bit: all sums are sums of integers, which floating-point
numbers hold exactly here, the rates are made from them in the same way, and rounding is monotone, so that the bounds
hold for the rounded numbers too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scoring.metrics import ErrorRates, SortedTrials, constant_cost, detection_cost, eer_of_rates

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Float64Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
IntArray = NDArray[np.intp]

RANKS_PER_E = 256  # blocks in which the number of rejected targets, or of accepted nontargets, grows e-fold
MOST_BLOCKS_BY_COUNT = 512  # a block has at most 1/512 of the trials
GROUPS_AT_ONCE = 256  # rows of an intermediate product: with 500 resamples half a megabyte, which stays in the cache
EXACT_FLOAT32 = float(1 << 24)  # float32 holds all integers up to here


class ResampledTrials:
    """Sorted trials, cut into blocks, for the figures of many resamples.

    Args:
        ordered: the sorted trials.
        enroll: int (N,), number of each trial's enrolled speaker, from 0, in the order of the scores as given.
        test: int (N,), the same of the test speaker.
        num_speakers: number of speakers.
        p_targets: priors of minDCF.
    """

    def __init__(
        self, ordered: SortedTrials, enroll: IntArray, test: IntArray, num_speakers: int, p_targets: Sequence[float]
    ) -> None:
        self._ordered, self._p_targets = ordered, p_targets
        self._enroll, self._test = enroll[ordered.order], test[ordered.order]
        self._cut_groups = _cuts(ordered)  # a cut is after the last trial of one of these groups of equal scores
        cuts = ordered.group_ends[self._cut_groups] + 1
        self._cuts = np.concatenate([[0], cuts])
        sizes = np.diff(self._cuts)
        block = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        target = ordered.is_target
        shape = len(sizes), num_speakers
        self._targets = _counts(block[target] * num_speakers + self._enroll[target], shape)
        keys = (block[~target] * num_speakers + self._enroll[~target]) * num_speakers + self._test[~target]
        self._pairs = _PairCounts(keys, shape)
        self._largest_block = int(sizes.max())

    def figures(self, multiplicity: NDArray[np.integer]) -> Float64Array:
        """EER and minDCF of resamples.

        Args:
            multiplicity: int (R, S), how often each speaker was drawn.

        Returns:
            float64 (R, 1 + P): EER as a share, and minDCF for each prior. NaN for a resample without targets or without
            nontargets.
        """
        most = int(multiplicity.max(initial=0))
        dtype = np.float32 if self._largest_block * most**2 < EXACT_FLOAT32 else np.float64
        drawn: Floats = np.ascontiguousarray(multiplicity.T.astype(dtype))  # (R, S) -> (S, R)
        targets = _summed_up(self._targets.astype(dtype, copy=False) @ drawn)  # (S, R) -> (R, K), K cuts
        nontargets = _summed_up(self._pairs.sums(drawn))
        figures = np.full((len(multiplicity), 1 + len(self._p_targets)), np.nan)
        for place in np.flatnonzero((targets[:, -1] > 0.0) & (nontargets[:, -1] > 0.0)):
            weights = multiplicity[place].astype(np.float64)
            figures[place] = self._of_one(weights, targets[place], nontargets[place])
        return figures

    def _of_one(self, multiplicity: Float64Array, targets: Float64Array, nontargets: Float64Array) -> list[float]:
        """The figures of one resample from the summed weights at the cuts, both (K,)."""
        rates = _rates(targets, nontargets, targets[-1], nontargets[-1])
        block = int(np.argmax(rates.fnr - rates.fpr >= 0.0)) - 1
        found = [eer_of_rates(self._inside(multiplicity, targets, nontargets, block, block + 1))]
        for p_target in self._p_targets:
            cost = detection_cost(rates.fnr, rates.fpr, p_target)
            least = float(cost.min())
            bound = detection_cost(rates.fnr[:-1], rates.fpr[1:], p_target)
            for first, last in _runs(bound < least):
                inside = self._inside(multiplicity, targets, nontargets, first, last)
                least = min(least, float(detection_cost(inside.fnr, inside.fpr, p_target).min()))
            found.append(least / constant_cost(p_target))
        return found

    def _inside(
        self, multiplicity: Float64Array, targets: Float64Array, nontargets: Float64Array, first: int, last: int
    ) -> ErrorRates:
        """The operating points from the beginning of block `first` to that of block `last`, both included."""
        ordered = self._ordered
        start, stop = self._cuts[first], self._cuts[last]
        groups = slice(self._cut_groups[first - 1] + 1 if first else 0, self._cut_groups[last - 1] + 1)
        ends = ordered.group_ends[groups] - start
        weights, is_target = multiplicity[self._enroll[start:stop]], ordered.is_target[start:stop]
        rejected_targets = np.where(is_target, weights, 0.0).cumsum()[ends]
        weights = np.where(is_target, 0.0, weights * multiplicity[self._test[start:stop]])
        rejected_nontargets = weights.cumsum()[ends]
        return _rates(
            np.concatenate([[0.0], rejected_targets]) + targets[first],
            np.concatenate([[0.0], rejected_nontargets]) + nontargets[first],
            targets[-1],
            nontargets[-1],
        )


class _PairCounts:
    """How many nontarget trials each pair of speakers has in each block.

    Args:
        keys: int64 (M,), (block · S + enrolled speaker) · S + test speaker of each trial.
        shape: (number of blocks, S).
    """

    def __init__(self, keys: NDArray[np.int64], shape: tuple[int, int]) -> None:
        self._shape = shape
        num_speakers = shape[1]
        keys, counts = _distinct(keys)
        groups, test = np.divmod(keys, num_speakers)  # a group: the pairs of one enrolled speaker in one block
        starts = np.append(np.flatnonzero(np.diff(groups, prepend=-1)), len(keys))
        blocks, enroll = np.divmod(groups[starts[:-1]], num_speakers)
        self._parts = []
        for first in range(0, len(enroll), GROUPS_AT_ONCE):
            rows = starts[first : first + GROUPS_AT_ONCE + 1]
            some = slice(rows[0], rows[-1])
            matrix = _sparse(_as_floats(counts[some]), test[some], rows - rows[0], num_speakers)
            of_block = slice(first, first + len(rows) - 1)
            self._parts.append((matrix, enroll[of_block], _membership(blocks[of_block]), int(blocks[first])))

    def sums(self, drawn: Floats) -> Float64Array:
        """∑ m(a) · m(b) over the trials of each block: (S, R) -> float64 (blocks, R)."""
        found = np.zeros((self._shape[0], drawn.shape[1]))
        for matrix, enroll, membership, block in self._parts:
            products = matrix.astype(drawn.dtype, copy=False) @ drawn  # (S, R) -> (groups, R)
            products *= drawn[enroll]
            sums = membership.astype(drawn.dtype, copy=False) @ products  # (groups, R) -> (blocks of the part, R)
            found[block : block + len(sums)] += sums
        return found


def _membership(blocks: NDArray[np.int64]) -> csr_array:
    """The matrix that sums groups up by their block: (blocks from the first to the last, groups)."""
    ends = np.searchsorted(blocks, np.arange(blocks[0], blocks[-1] + 2))
    return _sparse(np.ones(len(blocks), np.float32), np.arange(len(blocks)), ends, len(blocks))


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct keys in order, and how often each appears."""
    keys = np.sort(keys)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.diff(starts, append=len(keys))


def _counts(keys: NDArray[np.int64], shape: tuple[int, int]) -> csr_array:
    """How often each key, row · columns + column, appears, as a sparse matrix of this shape."""
    keys, counts = _distinct(keys)
    rows, columns = np.divmod(keys, shape[1])
    starts = np.searchsorted(rows, np.arange(shape[0] + 1))
    return _sparse(_as_floats(counts), columns, starts, shape[1])


def _sparse(values: Floats, columns: IntArray, starts: IntArray, num_columns: int) -> csr_array:
    """The matrix whose row i has the values from starts[i] to starts[i + 1] in these columns."""
    from scipy.sparse import csr_array  # takes longer to import than a short list to resample

    parts = values, columns.astype(np.int32), starts.astype(np.int32)
    return csr_array(parts, shape=(len(starts) - 1, num_columns))


def _as_floats(counts: NDArray[np.int64]) -> Floats:
    return counts.astype(np.float32 if counts.max(initial=0) < EXACT_FLOAT32 else np.float64)


def _summed_up(by_block: Floats) -> Float64Array:
    """Sums of the blocks before each cut: (K − 1, R) -> float64 (R, K)."""
    summed = np.zeros((by_block.shape[1], len(by_block) + 1))
    np.cumsum(by_block.T, axis=1, dtype=np.float64, out=summed[:, 1:])
    return summed


def _rates(targets: Float64Array, nontargets: Float64Array, all_targets: float, all_nontargets: float) -> ErrorRates:
    """Error rates from the weights of the rejected trials; the thresholds are not needed."""
    return ErrorRates(np.empty(0), targets / all_targets, 1.0 - nontargets / all_nontargets)


def _runs(chosen: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(first, one after the last) of each run of True."""
    changes = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).tolist()
    return zip(changes[::2], changes[1::2], strict=True)


def _cuts(ordered: SortedTrials) -> IntArray:
    """Numbers of the groups of equal scores after which there is a cut; the last group is one.

    The ranks of targets from the left and of nontargets from the right grow geometrically, so that no block changes a
    small error rate by more than a small part of it.
    """
    num_trials = len(ordered.is_target)
    targets, nontargets = np.flatnonzero(ordered.is_target), np.flatnonzero(~ordered.is_target)
    after_targets = targets[_ranks(len(targets)) - 1]
    before_nontargets = nontargets[len(nontargets) - _ranks(len(nontargets))] - 1
    evenly = np.linspace(0, num_trials, MOST_BLOCKS_BY_COUNT + 1).astype(np.intp)[1:] - 1
    last_places = np.unique(np.concatenate([after_targets, before_nontargets, evenly]))
    return np.unique(np.searchsorted(ordered.group_ends, last_places[last_places >= 0]))


def _ranks(count: int) -> IntArray:
    """Integers from 1 to `count` that grow by less than a RANKS_PER_E-th, or by 1."""
    grown = np.exp(np.arange(0.0, np.log(count), 1.0 / RANKS_PER_E))
    return np.unique(np.append(grown.astype(np.intp), count))
