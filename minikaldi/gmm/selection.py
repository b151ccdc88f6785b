"""Frames with their selected Gaussians: pairs (frame, Gaussian), and the shares of each frame's Gaussians.

A selection is ragged (`minikaldi.io.FrameIndices`); `gmm-gselect` makes one with the same number for all frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float32Array, Float64Array, IndexArray
from minikaldi.io import FrameIndices

_LARGEST_INT16 = 1 << 15
_MOST_TOGETHER = 512  # frames of one Gaussian: they stay in the processor's cache


@dataclass(frozen=True)
class GaussPairs:
    """The pairs of a block of frames, and their order by Gaussian.

    Attributes:
        selection: the Gaussians of each frame; every frame has one at least.
        num_gauss: M, of the model.
    """

    selection: FrameIndices
    num_gauss: int

    @cached_property
    def starts(self) -> IndexArray:
        """As `frame_starts`."""
        return frame_starts(self.selection)

    @cached_property
    def frames(self) -> IndexArray:
        """(N,), the frame of each pair."""
        return np.repeat(np.arange(self.selection.num_frames), self.selection.counts)

    @cached_property
    def width(self) -> int:
        """How many Gaussians each frame has, if all have the same number; else 0."""
        counts = self.selection.counts
        return int(counts[0]) if counts.size and (counts == counts[0]).all() else 0

    @cached_property
    def by_gauss(self) -> IndexArray:
        """(N,), the pairs, ordered by Gaussian and then by frame."""
        gauss = self.selection.indices
        if self.num_gauss <= _LARGEST_INT16:
            gauss = gauss.astype(np.int16)  # numpy sorts 16 bits by radix: three times as fast
        return np.argsort(gauss, kind="stable")

    @cached_property
    def groups(self) -> list[tuple[int, int, int]]:
        """(Gaussian, first, end) of ranges of `by_gauss`: one of each Gaussian with pairs, several if it has many."""
        sizes = np.bincount(self.selection.indices, minlength=self.num_gauss)
        ends = np.cumsum(sizes).tolist()
        return [
            (gauss, first, min(first + _MOST_TOGETHER, ends[gauss]))
            for gauss in np.flatnonzero(sizes).tolist()
            for first in range(ends[gauss] - sizes[gauss], ends[gauss], _MOST_TOGETHER)
        ]


def check_selection(key: str, selection: FrameIndices, num_gauss: int) -> None:
    """Check that each frame has a Gaussian, and that the model has them all.

    Raises:
        KaldiError: an empty frame, or an index out of range; the text names utterance and frame.
    """
    if (selection.counts < 1).any():
        frame = int((selection.counts < 1).argmax())
        raise KaldiError(f"{key}: frame {frame} has no selected Gaussian; select again with gmm-gselect")
    outside = (selection.indices < 0) | (selection.indices >= num_gauss)
    if outside.any():
        pair = int(outside.argmax())
        frame = int(np.searchsorted(np.cumsum(selection.counts), pair, side="right"))
        raise KaldiError(
            f"{key}: frame {frame} selects Gaussian {selection.indices[pair]}, but the model has {num_gauss}; "
            "select with the model of the same training"
        )


def invalid_likelihood(place: str, likelihood: float) -> KaldiError:
    """The error of a frame whose log-likelihood is not finite, with Kaldi's text; `place` names the frame."""
    return KaldiError(
        f"{place}: Invalid answer (overflow or invalid variances/features?): its log-likelihood is {likelihood:g}; "
        "compute the features again, or leave the utterance out; if every utterance fails, train the model again"
    )


def joined(selections: list[FrameIndices]) -> FrameIndices:
    """The frames of several utterances, one after another."""
    if len(selections) == 1:
        return selections[0]
    return FrameIndices(
        np.concatenate([one.counts for one in selections]), np.concatenate([one.indices for one in selections])
    )


def without_frames(selection: FrameIndices, kept: NDArray[np.bool_]) -> FrameIndices:
    """The selection of the frames for which `kept` (T,) is true."""
    return FrameIndices(selection.counts[kept], selection.indices[np.repeat(kept, selection.counts)])


def frame_slices(num_frames: int, most: int) -> list[slice]:
    """Ranges of at most `most` frames that cover all."""
    return [slice(start, min(start + most, num_frames)) for start in range(0, num_frames, most)]


def frame_starts(selection: FrameIndices) -> IndexArray:
    """(T + 1,), where the Gaussians of each frame begin, and where they end."""
    return starts_of(selection.counts)


def starts_of(counts: NDArray[np.integer]) -> IndexArray:
    """(T + 1,), the sums of the counts (T,) before each, and of all."""
    return np.concatenate([np.zeros(1, np.intp), np.cumsum(counts, dtype=np.intp)])


def frame_range(selection: FrameIndices, starts: IndexArray, frames: slice) -> FrameIndices:
    """The selection of a range of frames; `starts` as `frame_starts` gives it."""
    return FrameIndices(selection.counts[frames], selection.indices[starts[frames.start] : starts[frames.stop]])


def taken_for_ranges(selection: FrameIndices, starts: IndexArray) -> NDArray[np.int32]:
    """The Gaussians (N,) whose likelihoods Kaldi uses for the pairs, under a diagonal model.

    Kaldi takes a list for a range of Gaussians if its last index is its first plus its length less one, although a
    selection is not sorted by index (DiagGmm::LogLikelihoodsPreselect); so do we, for the same numbers.
    """
    first, last = starts[:-1], starts[1:] - 1
    ranges = selection.indices[last] - selection.indices[first] == last - first
    if not ranges.any():
        return selection.indices
    in_range = np.repeat(ranges, selection.counts)
    places = np.arange(len(selection.indices)) - np.repeat(first, selection.counts)
    as_range = np.repeat(selection.indices[first], selection.counts) + places.astype(np.int32)
    return np.where(in_range, as_range, selection.indices)


def softmax_by_frame(log_likes: Float32Array, pairs: GaussPairs) -> tuple[Float64Array, Float32Array]:
    """From the log-likelihoods of the pairs to those of the frames and the shares of their Gaussians.

    Args:
        log_likes: (N,).
        pairs: the pairs.

    Returns:
        log-likelihood of each frame (T,), NaN where one of its Gaussians has NaN; shares (N,).
    """
    if pairs.width:
        likes, shares = softmax_rows(log_likes.reshape(-1, pairs.width))
        return likes, shares.reshape(-1)
    counts = pairs.selection.counts
    largest = np.maximum.reduceat(log_likes, pairs.starts[:-1])
    with np.errstate(invalid="ignore"):
        shares = np.exp(log_likes - np.repeat(largest, counts))
        totals = np.add.reduceat(shares, pairs.starts[:-1])
        shares /= np.repeat(totals, counts)
        return largest + np.log(totals.astype(np.float64)), shares


def softmax_rows(log_likes: NDArray[np.float32]) -> tuple[Float64Array, Float32Array]:
    """Log of the sum of each row (T,) and the shares (T, n) of log-likelihoods (T, n); they may be overwritten."""
    largest = log_likes.max(axis=1)
    with np.errstate(invalid="ignore"):
        log_likes -= largest[:, None]
        shares = np.exp(log_likes, out=log_likes)
        totals = shares.sum(axis=1)
        shares /= totals[:, None]
        return largest + np.log(totals.astype(np.float64)), shares
