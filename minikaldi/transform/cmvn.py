"""Mean and variance normalisation from statistics of an utterance, a speaker or a corpus.

Source: Kaldi, transform/cmvn.cc. Sums are taken in float64 throughout, where Kaldi multiplies in float32 and adds in
float64. Statistics are a float64 matrix of two rows and F + 1 columns: the weighted sums of the values and the sum of
the weights (the count); the weighted sums of the squares and a 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.log import warning

VARIANCE_FLOOR = 1e-20
MIN_COUNT = 1.0

Stats = NDArray[np.float64]


def cmvn_stats(feats: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> Stats:
    """The statistics of some frames; those of several utterances are the sum of theirs.

    Args:
        feats: float32 (T, F), F >= 1.
        weights: float32 (T,), how much each frame counts; None: one each.

    Returns:
        float64 (2, F + 1).

    Raises:
        KaldiError: no column, or another number of weights than of frames.
    """
    num_frames, dim = feats.shape
    if dim == 0:
        raise KaldiError("the feature matrix is empty, so it has no statistics; remove the utterance")
    share = np.ones(num_frames) if weights is None else weights.astype(np.float64)
    if len(share) != num_frames:
        raise KaldiError(f"there are {len(share)} weights for {num_frames} frames")
    # A frame of weight zero does not count, even if it holds NaN.
    used = share != 0
    values, share = feats[used].astype(np.float64), share[used]
    stats = np.zeros((2, dim + 1))
    stats[0, :dim], stats[0, dim] = share @ values, share.sum()
    stats[1, :dim] = share @ np.square(values)
    return stats


def apply_cmvn(
    feats: NDArray[np.float32], stats: Stats, norm_vars: bool = False, reverse: bool = False
) -> NDArray[np.float32]:
    """Subtract the mean of the statistics and, if wanted, divide by their standard deviation; or the reverse.

    Args:
        feats: float32 (T, F).
        stats: float64 (2, F + 1), or (1, F + 1) if only means are normalised.
        norm_vars: whether the standard deviation is normalised too.
        reverse: give features of mean 0 and variance 1 the mean and variance of the statistics.

    Returns:
        float32 (T, F), computed in float32 as in Kaldi. A variance below 1e-20 is floored there, with a warning.

    Raises:
        KaldiError: shapes that do not fit, a count below one frame, or statistics that are not numbers.
    """
    _check(feats, stats, norm_vars)
    dim = feats.shape[1]
    count = stats[0, dim]
    mean = stats[0, :dim] / count
    deviation = np.sqrt(_floored_variance(stats[1, :dim] / count - mean**2)) if norm_vars else np.ones(dim)
    scale, offset = (deviation, mean) if reverse else (1 / deviation, -mean / deviation)
    scaled = feats * scale.astype(np.float32) if norm_vars else feats
    return scaled + offset.astype(np.float32)


def without_dims(stats: Stats, dims: list[int]) -> Stats:
    """Statistics (2, F + 1) that leave some dimensions unchanged: mean 0 and variance 1 there.

    Raises:
        KaldiError: no row of squares, or no such dimension.
    """
    dim = stats.shape[1] - 1
    if len(stats) != 2:
        raise KaldiError(f"--skip-dims needs statistics of two rows, found {len(stats)}")
    outside = [d for d in dims if not 0 <= d < dim]
    if outside:
        raise KaldiError(f"--skip-dims names dimension {outside[0]}; the statistics have dimensions 0 to {dim - 1}")
    changed = stats.copy()
    changed[0, dims] = 0.0
    changed[1, dims] = stats[0, dim]
    return changed


def _check(feats: NDArray[np.float32], stats: Stats, norm_vars: bool) -> None:
    if len(stats) not in (1, 2) or stats.shape[1] != feats.shape[1] + 1:
        raise KaldiError(
            f"the statistics are {stats.shape[0]} x {stats.shape[1]}, the features {feats.shape[0]} x "
            f"{feats.shape[1]}; expected 2 rows and one column more than the features have"
        )
    if norm_vars and len(stats) == 1:
        raise KaldiError("the statistics hold no squares, which --norm-vars=true needs")
    count = stats[0, -1]
    if not count >= MIN_COUNT:
        raise KaldiError(f"the statistics count {count:g} frames; at least one is needed")


def _floored_variance(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isnan(variance).any():
        raise KaldiError(f"the variance of dimension {int(np.isnan(variance).argmax())} is not a number")
    for d in np.flatnonzero(variance < VARIANCE_FLOOR):
        warning(f"Flooring the variance of dimension {d} from {variance[d]:g} to {VARIANCE_FLOOR:g}")
    return np.maximum(variance, VARIANCE_FLOOR)
