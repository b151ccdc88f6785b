"""Change of the sampling rate: one polyphase engine, two low-pass filters.

With L = lcm(rate_in, rate_out), every input and every output sample is on a grid of step 1/L. The resampler is a
windowed-sinc filter on that grid, applied to the zero-stuffed input and read at every (L / rate_out)-th point;
polyphase filtering skips the zeros. Kaldi's LinearResample is exactly this with a short Hann-windowed sinc.

The weights repeat after lcm / rate_in input samples. So 128 consecutive outputs are one product of the inputs around
them with a matrix, the same in each period, and all periods together are a matrix product: 5 to 15 ns per output sample
with 100 to 280 weights; scipy.signal.resample_poly takes 40 to 145 ns, and 0.6 s to import.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

KALDI_ZEROS = 6
WIDEBAND_ZEROS = 48
WIDEBAND_KAISER_BETA = 8.0  # stop band below -80 dB
GROUP_OUTPUTS = 128
"""Outputs of one matrix: with more there are more products with zeros, with fewer the matrices are thin and slow."""
_BLOCK_VALUES = 1 << 18

_Prototype = Callable[[int, int], NDArray[np.float32]]


def kaldi_resample(samples: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Resample as Kaldi does for --allow-downsample and --allow-upsample.

    Args:
        samples: float32 (N,).
        rate_in: Hz of the samples.
        rate_out: Hz of the result.

    Returns:
        float32 (ceil(N rate_out / rate_in),).

    Source: Kaldi, feat/resample.cc (LinearResample with six zeros and the cut-off at 0.99 of the lower Nyquist rate).
    """
    return _polyphase(samples, rate_in, rate_out, _kaldi_filter)


def wideband_resample(samples: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Resample with a filter that is flat to 0.9 of the lower Nyquist rate and 80 dB down at it.

    Args:
        samples: float32 (N,).
        rate_in: Hz of the samples.
        rate_out: Hz of the result.

    Returns:
        float32 (ceil(N rate_out / rate_in),).
    """
    return _polyphase(samples, rate_in, rate_out, _wideband_filter)


def _polyphase(samples: NDArray[np.float32], rate_in: int, rate_out: int, prototype: _Prototype) -> NDArray[np.float32]:
    divisor = math.gcd(rate_in, rate_out)
    up, down = rate_out // divisor, rate_in // divisor
    if up == down or len(samples) == 0:
        return samples.astype(np.float32)
    repeats = -(-GROUP_OUTPUTS // up)  # a short period is used several times
    period_out, period_in = up * repeats, down * repeats
    count = -(-len(samples) * up // down)
    num_periods = -(-count // period_out)
    reach = len(prototype(up, down)) // 2  # on the grid
    before, after = reach // up, max(0, (down * (period_out - 1) + reach) // up + 1 - period_in)
    padded = np.zeros(before + num_periods * period_in + after, np.float32)
    padded[before : before + len(samples)] = samples
    output = np.empty((num_periods, period_out), np.float32)
    for begin in range(0, period_out, GROUP_OUTPUTS):
        end = min(begin + GROUP_OUTPUTS, period_out)
        first, weights = _weights(up, down, prototype, begin, end)
        around = np.lib.stride_tricks.sliding_window_view(padded[before + first :], len(weights))[::period_in]
        step = max(1, _BLOCK_VALUES // len(weights))  # the product copies its rows
        for at in range(0, num_periods, step):
            rows = slice(at, min(at + step, num_periods))
            output[rows, begin:end] = around[rows] @ weights
    return output.reshape(-1)[:count]


@lru_cache(maxsize=16)
def _weights(up: int, down: int, prototype: _Prototype, begin: int, end: int) -> tuple[int, NDArray[np.float32]]:
    """The first input that the outputs begin … end - 1 need, and the weights (inputs, outputs) from there."""
    taps = prototype(up, down)
    reach = len(taps) // 2
    outputs = down * np.arange(begin, end)  # on the grid
    first, last = -int((reach - outputs[0]) // up), int((outputs[-1] + reach) // up)
    distance = outputs - up * np.arange(first, last + 1)[:, None]
    inside = np.abs(distance) <= reach
    weights = np.where(inside, taps[np.where(inside, distance, 0) + reach], np.float32(0))
    return first, weights * np.float32(up)  # zero-stuffing leaves 1 / up of the signal


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
