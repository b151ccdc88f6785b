"""Change of the sampling rate: one polyphase engine, two low-pass filters.

With L = lcm(rate_in, rate_out), every input and every output sample lies on a grid of step 1/L. A windowed-sinc filter
written on that grid, applied to the zero-stuffed input and read at every (L / rate_out)-th point, is the resampler;
polyphase filtering skips the zeros. Kaldi's LinearResample is exactly this with a short Hann-windowed sinc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

KALDI_ZEROS = 6
WIDEBAND_ZEROS = 48
WIDEBAND_KAISER_BETA = 8.0  # stop band below -80 dB


def kaldi_resample(samples: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Resamples as Kaldi does for --allow-downsample and --allow-upsample.

    Args:
        samples: float32 (N,).
        rate_in, rate_out: Hz.

    Returns:
        float32 (ceil(N rate_out / rate_in),).

    Source: Kaldi, feat/resample.cc (LinearResample with six zeros and the cut-off at 0.99 of the lower Nyquist rate).
    """
    return _polyphase(samples, rate_in, rate_out, _kaldi_filter)


def wideband_resample(samples: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Resamples with a filter that is flat to 0.9 of the lower Nyquist rate and 80 dB down at it.

    Args:
        samples: float32 (N,).
        rate_in, rate_out: Hz.

    Returns:
        float32 (ceil(N rate_out / rate_in),).
    """
    return _polyphase(samples, rate_in, rate_out, _wideband_filter)


def _polyphase(
    samples: NDArray[np.float32], rate_in: int, rate_out: int, prototype: Callable[[int, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    divisor = math.gcd(rate_in, rate_out)
    up, down = rate_out // divisor, rate_in // divisor
    if up == down or len(samples) == 0:
        return samples.astype(np.float32)
    from scipy.signal import resample_poly  # a second to import, so only where a rate differs

    # resample_poly multiplies its filter by `up`, so the prototype's sum is one. (Its type stubs know no array there.)
    window: Any = prototype(up, down)
    resampled: NDArray[np.float32] = resample_poly(samples.astype(np.float32), up, down, window=window)
    return resampled


@lru_cache(maxsize=32)
def _kaldi_filter(up: int, down: int) -> NDArray[np.float32]:
    grid = max(up, down)  # grid steps in one sample of the lower rate
    cutoff = 0.5 * 0.99 / grid  # cycles per grid step
    width = int(KALDI_ZEROS / (2 * cutoff))
    time = np.arange(-width, width + 1)
    hann = 0.5 * (1 + np.cos(2 * np.pi * cutoff / KALDI_ZEROS * time))
    return (2 * cutoff * np.sinc(2 * cutoff * time) * hann).astype(np.float32)


@lru_cache(maxsize=32)
def _wideband_filter(up: int, down: int) -> NDArray[np.float32]:
    grid = max(up, down)
    cutoff = 0.5 * 0.95 / grid
    width = int(WIDEBAND_ZEROS / (2 * cutoff))
    time = np.arange(-width, width + 1)
    taps = np.sinc(2 * cutoff * time) * np.kaiser(len(time), WIDEBAND_KAISER_BETA)
    return (taps / taps.sum()).astype(np.float32)
