"""The statistics of utterances that their vectors depend on, for a batch of them at once.

They are taken about the extractor's centres c_i: the sums of the differences of frames are small numbers, so float32
loses nothing that matters, and what is reported is made about zero again in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float32Array, Float64Array
from minikaldi.io import FramePosteriors

PAIRS_AT_ONCE = 400_000
"""Pairs of a frame and a Gaussian; with 72 dimensions their differences to the centres are 115 MB."""


_RUN = 64  # pairs of a cell that are summed in float32


@dataclass(frozen=True)
class WeightedFrames:
    """The frames of one utterance with the Gaussians that share them.

    Attributes:
        row: row of the batch that it counts for; the utterances of a speaker have one row.
        feats: float32 (T, F).
        posteriors: of the same T frames.
    """

    row: int
    feats: Float32Array
    posteriors: FramePosteriors


@dataclass(frozen=True)
class BatchStats:
    """Statistics of a batch of B utterances.

    Attributes:
        counts: float64 (B, M), frames of each Gaussian.
        sums: float32 (B, M F), weighted sums of the frames' differences to the centres, Gaussian after Gaussian.
        scatter: float64 (M, F, F), the products of these differences with themselves, over the whole batch; None if
            they were not wanted.
    """

    counts: Float64Array
    sums: Float32Array
    scatter: Float64Array | None

    @property
    def num_frames(self) -> Float64Array:
        """(B,): sums of the shares."""
        return self.counts.sum(axis=1)


@dataclass(frozen=True)
class _Pairs:
    """The pairs of a frame and a Gaussian that has a share of it, sorted by Gaussian."""

    rows: NDArray[np.int64]  # (K,)
    gauss: NDArray[np.int64]  # (K,)
    shares: Float32Array  # (K,)
    differences: Float32Array  # (K, F): the frame less the Gaussian's centre


def batch_stats(
    utterances: Sequence[WeightedFrames], num_rows: int, centres: Float32Array, with_scatter: bool
) -> BatchStats:
    """The statistics of a batch.

    Args:
        utterances: at least one.
        num_rows: B.
        centres: float32 (M, F).
        with_scatter: whether to make second-order statistics.

    Source: IvectorExtractorUtteranceStats::AccStats.
    """
    num_gauss, dim = centres.shape
    counts, scatter = np.zeros(num_rows * num_gauss), np.zeros((num_gauss, dim, dim)) if with_scatter else None
    sums: Float32Array | None = None
    for part in _parts(utterances):
        pairs = _pairs(part, centres)
        cells = pairs.rows * num_gauss + pairs.gauss
        counts += np.bincount(cells, pairs.shares, num_rows * num_gauss)
        found = _sums_by_cell(cells, pairs, num_rows * num_gauss)
        sums = found if sums is None else sums + found
        if scatter is not None:
            _add_scatter(scatter, pairs)
    assert sums is not None, "there is no utterance"
    return BatchStats(counts.reshape(num_rows, num_gauss), sums.reshape(num_rows, num_gauss * dim), scatter)


def check_utterance(name: str, feats: Float32Array, posteriors: FramePosteriors, num_gauss: int, dim: int) -> None:
    """Check that frames and posteriors fit the extractor; the caller has compared their numbers of frames.

    Raises:
        KaldiError: other dimensions, an unknown Gaussian, or NaN; the text begins with `name`.
    """
    if feats.shape[1] != dim:
        raise KaldiError(
            f"{name}: Feature dimension mismatch, expected {dim}, got {feats.shape[1]}; "
            "give the features that the UBM was trained with"
        )
    if not np.isfinite(feats).all():
        raise KaldiError(f"{name}: the features hold NaN or infinity; compute them again, or leave the utterance out")
    indices = posteriors.indices
    if indices.size and not (indices.min() >= 0 and indices.max() < num_gauss):
        wrong = indices[(indices < 0) | (indices >= num_gauss)][0]
        raise KaldiError(
            f"{name}: the posteriors have a Gaussian {wrong}, the i-vector extractor has 0 to {num_gauss - 1}; "
            "they are of another UBM"
        )
    if not np.isfinite(posteriors.shares).all():
        raise KaldiError(f"{name}: the posteriors hold NaN or infinity; compute them again, or leave the utterance out")


def _parts(utterances: Sequence[WeightedFrames]) -> Iterator[list[WeightedFrames]]:
    """The utterances in groups of about `PAIRS_AT_ONCE` pairs at most; long ones in pieces."""
    part: list[WeightedFrames] = []
    size = 0
    for piece in (piece for utterance in utterances for piece in _pieces(utterance)):
        if part and size + len(piece.posteriors.indices) > PAIRS_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(piece)
        size += len(piece.posteriors.indices)
    if part:
        yield part


def _pieces(utterance: WeightedFrames) -> Iterator[WeightedFrames]:
    posteriors = utterance.posteriors
    if len(posteriors.indices) <= PAIRS_AT_ONCE:
        yield utterance
        return
    ends = np.cumsum(posteriors.counts, dtype=np.int64)
    start, first = 0, 0
    while start < len(ends):
        stop = max(start + 1, int(np.searchsorted(ends, first + PAIRS_AT_ONCE, side="right")))
        pairs = slice(first, int(ends[stop - 1]))
        part = FramePosteriors(posteriors.counts[start:stop], posteriors.indices[pairs], posteriors.shares[pairs])
        yield WeightedFrames(utterance.row, utterance.feats[start:stop], part)
        start, first = stop, pairs.stop


def _pairs(utterances: Sequence[WeightedFrames], centres: Float32Array) -> _Pairs:
    gauss = np.concatenate([utt.posteriors.indices for utt in utterances])
    order = np.argsort(gauss, kind="stable")  # of int32: a radix sort
    counts = np.concatenate([utt.posteriors.counts for utt in utterances])
    frames = np.repeat(np.arange(len(counts)), counts)[order]
    rows = np.repeat([utt.row for utt in utterances], [utt.posteriors.num_frames for utt in utterances])
    sorted_gauss = gauss[order].astype(np.int64)
    feats = np.concatenate([utt.feats for utt in utterances])
    differences = feats[frames]
    differences -= centres[sorted_gauss]
    shares = np.concatenate([utt.posteriors.shares for utt in utterances])[order]
    return _Pairs(rows[frames], sorted_gauss, shares, differences)


def _sums_by_cell(cells: NDArray[np.int64], pairs: _Pairs, num_cells: int) -> Float32Array:
    """float32 (num_cells, F): the sums of the weighted differences of each cell.

    A float32 sum loses a little with each summand; so runs of a cell's pairs are summed, then the runs in float64.
    """
    from scipy.sparse import csr_matrix  # after the command line is checked: the import takes 0.2 s

    sums = np.zeros((num_cells, pairs.differences.shape[1]), dtype=np.float32)
    if not cells.size:
        return sums
    places = np.arange(len(cells))
    first = np.flatnonzero(np.diff(cells, prepend=-1))  # pairs of a cell are beside one another
    rank = places - np.repeat(first, np.diff(first, append=len(cells)))
    begins = np.flatnonzero(rank % _RUN == 0)
    chooser = csr_matrix((pairs.shares, places, np.append(begins, len(cells))), shape=(len(begins), len(cells)))
    of_runs = chooser @ pairs.differences  # (runs, F)
    if len(begins) > len(first):
        of_runs = np.add.reduceat(of_runs, np.searchsorted(begins, first), dtype=np.float64)
    if (np.diff(np.sort(cells[first])) == 0).any():
        np.add.at(sums, cells[first], of_runs)
    else:
        sums[cells[first]] = of_runs
    return sums


def _add_scatter(scatter: Float64Array, pairs: _Pairs) -> None:
    """Add to `scatter` (M, F, F): for each Gaussian one product of all its differences."""
    bounds = np.searchsorted(pairs.gauss, np.arange(len(scatter) + 1))
    weighted = pairs.differences * pairs.shares[:, None]
    for gauss in np.flatnonzero(np.diff(bounds)):
        part = slice(bounds[gauss], bounds[gauss + 1])
        scatter[gauss] += weighted[part].T @ pairs.differences[part]
