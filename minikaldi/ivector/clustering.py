"""Agglomerative clustering by average cost, for diarization.

The two clusters with the least average cost between their points are merged, until few enough clusters are left or the
cost exceeds a threshold. Of pairs with equal costs, the pair with the oldest older cluster goes first, then the one
with the oldest younger cluster. Costs are float32 sums in the order of the merges, so that labels are Kaldi's even if
costs are nearly equal.

Kaldi keeps all pairs in one queue. Here each cluster knows its best older partner. If that one is merged, the cluster
sorts its older partners once, and afterwards goes down that list past those that no longer exist: O(N² log N) at worst,
and mostly N² additions and comparisons.

Source: Kaldi, ivector/agglomerative-clustering.cc.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]

FIRST_PASS_FACTOR = 10  # a subset is merged to at least this many times the wanted clusters
ANY_COST = float(np.finfo(np.float32).max)

_LOOK_AHEAD = 64  # partners that one call of numpy looks at
_TILE = 256
_NEVER = np.float32(np.inf)


def cluster(
    costs: Float32Array,
    threshold: float = ANY_COST,
    min_clusters: int = 1,
    max_fraction: float = 1.0,
    first_pass_max: int = 32767,
) -> NDArray[np.int32]:
    """The cluster of each point.

    Args:
        costs: float32 (N, N), N >= 1, not changed. The upper triangle counts, and for pairs of points in different
            subsets of the first pass the lower one, as in Kaldi.
        threshold: clusters merge while their average cost is at most this.
        min_clusters: clusters merge while there are more than this.
        max_fraction: a cluster has at most this share of the points, rounded up.
        first_pass_max: more points than this are first merged in subsets of at most this many neighbours.

    Returns:
        int32 (N,), labels from 1; the cluster that was made last has the highest.

    Raises:
        KaldiError: not a square matrix of numbers, or a limit below 1.
    """
    _check(costs, min_clusters, first_pass_max)
    num_points = len(costs)
    limits = ClusterLimits(threshold, num_points, max_fraction)
    if num_points <= first_pass_max:
        groups, _ = _merged(_points(0, num_points), _symmetric(costs), limits, min_clusters)
    else:
        groups, sums = _first_pass(costs, limits, min_clusters * FIRST_PASS_FACTOR, first_pass_max)
        groups, _ = _merged(groups, sums, limits, min_clusters)
    labels = np.zeros(num_points, dtype=np.int32)
    for label, group in enumerate(groups, 1):
        labels[group] = label
    return labels


def _check(costs: Float32Array, min_clusters: int, first_pass_max: int) -> None:
    if costs.ndim != 2 or costs.shape[0] != costs.shape[1] or not costs.size:
        raise KaldiError(f"the matrix of scores is {costs.shape}; expected as many rows as columns, at least one")
    if not np.isfinite(costs).all():
        row, column = np.argwhere(~np.isfinite(costs))[0]
        raise KaldiError(f"the score of row {row}, column {column} is {costs[row, column]}; expected numbers")
    if min_clusters < 1 or first_pass_max < 1:
        raise KaldiError(f"found {min_clusters} speakers and {first_pass_max} points a pass; expected at least 1 each")


class ClusterLimits:
    """The limits of merging.

    Attributes:
        threshold: largest average cost, float32.
        max_size: most points of a cluster.
    """

    def __init__(self, threshold: float, num_points: int, max_fraction: float) -> None:
        self.threshold = np.float32(min(threshold, ANY_COST))
        self.max_size = int(np.ceil(np.float32(num_points) * np.float32(max_fraction)))


def _points(start: int, stop: int) -> list[IndexArray]:
    return [np.array([point]) for point in range(start, stop)]


def _symmetric(costs: Float32Array) -> Float32Array:
    """A copy whose lower triangle mirrors the upper; the diagonal is zero."""
    mirrored = costs.copy()
    for start in range(0, len(costs), _TILE):
        stop = start + _TILE
        tile = np.triu(mirrored[start:stop, start:stop], 1)
        mirrored[start:stop, start:stop] = tile + tile.T
        mirrored[stop:, start:stop] = mirrored[start:stop, stop:].T
    return mirrored


def _first_pass(
    costs: Float32Array, limits: ClusterLimits, min_clusters: int, most_points: int
) -> tuple[list[IndexArray], Float32Array]:
    """Points of the clusters of all subsets, in order, and the sums of the costs between clusters."""
    num_points = len(costs)
    num_subsets = -(-num_points // most_points)
    size = -(-num_points // num_subsets)
    groups: list[IndexArray] = []
    sums = np.zeros((0, 0), dtype=np.float32)
    for start in range(0, num_points, size):
        subset = slice(start, min(start + size, num_points))
        points = _points(subset.start, subset.stop)
        new, inside = _merged(points, _symmetric(costs[subset, subset]), limits, min_clusters)
        across = _sums_between(costs, new, groups)
        sums = np.block([[sums, across.T], [across, inside]])
        groups += new
    return groups, sums


def _sums_between(costs: Float32Array, rows: list[IndexArray], columns: list[IndexArray]) -> Float32Array:
    """Sum of the costs of each group of rows with each group of columns, added in float64 (Kaldi: in float32)."""
    if not columns:
        return np.zeros((len(rows), 0), dtype=np.float32)
    points = np.concatenate(columns)
    starts = np.cumsum([0] + [len(group) for group in columns[:-1]])
    sums = [np.add.reduceat(costs[group].sum(axis=0, dtype=np.float64)[points], starts) for group in rows]
    return np.array(sums, dtype=np.float32)


def _merged(
    groups: list[IndexArray], sums: Float32Array, limits: ClusterLimits, min_clusters: int
) -> tuple[list[IndexArray], Float32Array]:
    """The resulting groups of points, the oldest cluster first, and the sums of the costs between them."""
    merger = _Merger(sums, np.array([len(group) for group in groups]), limits)
    while merger.num_clusters > min_clusters and (pair := merger.best_pair()) is not None:
        older, younger = pair
        groups[older] = np.concatenate([groups[older], groups[younger]])
        merger.merge(older, younger)
    slots = merger.slots()
    return [groups[slot] for slot in slots], merger.sums[np.ix_(slots, slots)]


class _Merger:
    """The remaining clusters. Each has an id, which rises with every merge, and a slot, a row of `sums`.

    Args:
        sums: float32 (M, M), symmetric, costs of all pairs of points of two clusters; it is overwritten.
        sizes: points of each cluster (M,).
        limits: the limits of merging.
    """

    def __init__(self, sums: Float32Array, sizes: NDArray[np.integer], limits: ClusterLimits) -> None:
        num = len(sizes)
        self.sums = sums
        self.num_clusters = num
        self._limits = limits
        self._sizes = sizes.copy()  # by slot
        self._id = np.arange(num)  # by slot
        self._slot = np.arange(2 * num)  # by id
        self._exists = np.arange(2 * num) < num  # by id
        # Average cost, older and younger id of each cluster's best pair with an older one; some no longer exist.
        self._pairs: list[tuple[float, int, int]] = []
        self._partners: dict[int, NDArray[np.int32]] = {}  # by id, once the first partner is gone: ids, best first
        for slot in range(num):
            self._add_best_pair(slot)

    def slots(self) -> IndexArray:
        """Slots of the clusters, the oldest first."""
        return self._slot[np.flatnonzero(self._exists)]

    def best_pair(self) -> tuple[int, int] | None:
        """Slots of the older and the younger cluster to merge next; None if no pair may merge."""
        while self._pairs:
            _, older, younger = heapq.heappop(self._pairs)
            if self._exists[younger]:
                if self._exists[older]:
                    return int(self._slot[older]), int(self._slot[younger])
                self._add_next_pair(younger)
        return None

    def merge(self, older: int, younger: int) -> None:
        """Merge two clusters into one, the youngest, in the slot `older`."""
        self._exists[self._id[[older, younger]]] = False
        self.sums[older] += self.sums[younger]
        self.sums[:, older] = self.sums[older]
        self._sizes[older] += self._sizes[younger]
        self._partners.pop(int(self._id[older]), None)
        self._partners.pop(int(self._id[younger]), None)
        self._id[older] = new = 2 * len(self._sizes) - self.num_clusters
        self._slot[new] = older
        self._exists[new] = True
        self.num_clusters -= 1
        self._add_best_pair(older)

    def _older(self, slot: int) -> tuple[IndexArray, Float32Array]:
        """Ids of all older clusters, the oldest first, and the average costs of merging with them."""
        ids = np.flatnonzero(self._exists[: self._id[slot]])
        slots = self._slot[ids]
        sizes = self._sizes[slots]
        averages = self.sums[slot, slots] / (sizes * self._sizes[slot]).astype(np.float32)
        averages[sizes + self._sizes[slot] > self._limits.max_size] = _NEVER
        return ids, averages

    def _add_best_pair(self, slot: int) -> None:
        ids, averages = self._older(slot)
        if ids.size:
            best = int(np.argmin(averages))
            if averages[best] <= self._limits.threshold:
                heapq.heappush(self._pairs, (float(averages[best]), int(ids[best]), int(self._id[slot])))

    def _add_next_pair(self, younger: int) -> None:
        """Add the best pair with an existing partner, for a cluster whose partner no longer exists."""
        slot = self._slot[younger]
        partners = self._partners.get(younger)
        if partners is None:
            ids, averages = self._older(slot)
            allowed = np.flatnonzero(averages <= self._limits.threshold)
            partners = ids[allowed[np.argsort(averages[allowed], kind="stable")]].astype(np.int32)
        while partners.size:
            left = self._exists[partners[:_LOOK_AHEAD]]
            first = int(left.argmax())
            partners = partners[first:]
            if left[first]:
                older = int(partners[0])
                other = self._slot[older]
                average = self.sums[slot, other] / np.float32(self._sizes[slot] * self._sizes[other])
                heapq.heappush(self._pairs, (float(average), older, younger))
                break
            partners = partners[_LOOK_AHEAD:]
        self._partners[younger] = partners
