"""Mean and variance normalisation over a window that slides along the utterance.

Source: Kaldi, feat/feature-functions.cc (SlidingWindowCmn). Sums are differences of float64 cumulative sums, taken of
features from which the utterance's mean was subtracted, so that no digits are lost in long recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.errors import KaldiError
from minikaldi.log import warning
from minikaldi.options import option

VARIANCE_FLOOR = 1e-10


@dataclass
class SlidingCmvnOptions:
    """The window, and what is normalised in it."""

    cmn_window: int = option(600, "Window in frames")
    min_cmn_window: int = option(100, "Shortest window in frames, at the utterance's start; only if --center=false")
    max_warnings: int = option(5, "Warnings about floored variances for each utterance; -1 for all")
    norm_vars: bool = option(False, "Normalise the variance to one")
    center: bool = option(False, "Centre the window on the frame; if false, it ends with the frame")


def window_bounds(num_frames: int, options: SlidingCmvnOptions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frame, and last frame plus one, of the window of each frame.

    A centred window that reaches over an end of the utterance is moved inside, so that it keeps its length where the
    utterance has it; a window that ends with its frame is shorter at the start, but not below --min-cmn-window.

    Returns:
        int64 (T,), int64 (T,).
    """
    frame = np.arange(num_frames)
    if options.center:
        start = np.clip(frame - options.cmn_window // 2, 0, max(0, num_frames - options.cmn_window))
        return start, np.minimum(start + options.cmn_window, num_frames)
    end = np.maximum(frame + 1, options.min_cmn_window)
    excess = np.maximum(end - num_frames, 0)  # behind the utterance's end, and made up for at the window's start
    return np.maximum(frame - options.cmn_window - excess, 0), end - excess


def _window_means(values: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of the rows start[t] … end[t] - 1, (T, F) -> (T, F)."""
    cumulative = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=cumulative[1:])
    return (cumulative[end] - cumulative[start]) / (end - start)[:, None]


def sliding_cmvn(feats: NDArray[np.float32], options: SlidingCmvnOptions) -> NDArray[np.float32]:
    """Subtracts from each frame the mean of its window and, if asked, divides by the window's standard deviation.

    Args:
        feats: float32 (T, F), T >= 1.
        options: the window.

    Returns:
        float32 (T, F). A constant utterance becomes zeros: the variance is floored at 1e-10 (a warning counts the
        floored values), and the only frame of a one-frame window becomes zero.

    Raises:
        KaldiError: a window of no frame.
    """
    if options.cmn_window < 1 or options.min_cmn_window < 1:
        raise KaldiError(
            f"--cmn-window={options.cmn_window} and --min-cmn-window={options.min_cmn_window} must be at least 1"
        )
    start, end = window_bounds(len(feats), options)
    centred = feats.astype(np.float64)
    centred -= centred.mean(axis=0)
    mean = _window_means(centred, start, end)
    normalized = centred - mean
    if options.norm_vars:
        variance = _window_means(centred**2, start, end) - mean**2
        _warn_of_floored(variance, end - start, options.max_warnings)
        normalized /= np.sqrt(np.maximum(variance, VARIANCE_FLOOR))
        normalized[end - start == 1] = 0.0
    return normalized.astype(np.float32)


def _warn_of_floored(variance: NDArray[np.float64], num_frames: NDArray[np.int64], max_warnings: int) -> None:
    """Warnings of the first frames, and one that there are more; negative `max_warnings`: of all."""
    floored = np.count_nonzero(variance < VARIANCE_FLOOR, axis=1)
    frames = np.flatnonzero((floored > 0) & (num_frames > 1))
    told = len(frames) if max_warnings < 0 else max_warnings
    for t in frames[:told]:
        warning(
            f"frame {t}: the variance of {floored[t]} coefficients over the window of {num_frames[t]} frames is zero; "
            f"floored at {VARIANCE_FLOOR:g}"
        )
    if len(frames) > told:
        warning(f"{len(frames) - told} more such frames; --max-warnings=-1 shows them all")
