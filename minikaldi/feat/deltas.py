"""Time derivatives of features by linear regression over a window.

Source: Kaldi, feat/feature-functions.cc (DeltaFeatures). Kaldi convolves the features with the filters of each order;
here each order is the regression of the one before, which gives the same, and exactly zero for a constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.options import CommandOptions

_MOST = 1000  # Kaldi's own bound, against misread numbers


@dataclass
class DeltaOptions(CommandOptions):
    """How many derivatives, and over how many frames."""

    delta_order: int = option(2, "Order of the highest derivative; 0 for none")
    delta_window: int = option(2, "Frames to each side that a derivative is taken over")


def add_deltas(feats: NDArray[np.float32], options: DeltaOptions) -> NDArray[np.float32]:
    """The features and their derivatives side by side.

    The first and the last frame are repeated as far as the windows of the highest order reach, so that the second
    derivative near an edge is that of the extended features, not of the first derivative extended.

    Args:
        feats: float32 (T, F), T >= 1.
        options: orders and window.

    Returns:
        float32 (T, F * (delta_order + 1)): the features, the first derivative, the second …

    Raises:
        KaldiError: an invalid order or window.
    """
    order, window = options.delta_order, options.delta_window
    if not 0 <= order < _MOST or not 0 < window < _MOST:
        raise KaldiError(
            f"--delta-order={order} must lie between 0 and {_MOST - 1}, --delta-window={window} between 1 and "
            f"{_MOST - 1}"
        )
    num_frames, reach = len(feats), order * window
    derivative = np.pad(feats, ((reach, reach), (0, 0)), mode="edge")
    parts = [feats]
    for _ in range(order):
        derivative = _slope(derivative, window)
        reach -= window
        parts.append(derivative[reach : reach + num_frames])
    return np.hstack(parts)


def _slope(feats: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """The regression line's slope at each frame that has `window` frames to both sides, (T, F) -> (T - 2 window, F)."""
    inner = len(feats) - 2 * window
    slope = np.zeros((inner, feats.shape[1]), np.float32)
    for j in range(1, window + 1):
        after, before = feats[window + j : window + j + inner], feats[window - j : window - j + inner]
        slope += np.float32(j) * (after - before)
    squares = sum(j * j for j in range(-window, window + 1))
    return slope * np.float32(1 / squares)
