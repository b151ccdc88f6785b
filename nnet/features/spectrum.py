"""Periodic Hann window, power spectrum, mel filters on Slaney's scale.

Source: Slaney, Auditory Toolbox, 1998 (the scale and filters of equal area); librosa's defaults (htk false, norm
"slaney"), with which the numbers agree. All in float64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError

_HZ_PER_MEL = 200.0 / 3  # below the corner the scale is linear
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _HZ_PER_MEL
_MELS_PER_NEPER = 27.0 / np.log(6.4)  # above it, 27 mels for a factor of 6.4


def slaney_mel(freq: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Mel of a frequency in Hz: 3 f / 200 up to 1000 Hz, logarithmic above."""
    freq = np.asarray(freq, np.float64)
    above = _CORNER_MEL + _MELS_PER_NEPER * np.log(np.maximum(freq, _CORNER_HZ) / _CORNER_HZ)
    return np.where(freq < _CORNER_HZ, freq / _HZ_PER_MEL, above)


def inverse_slaney_mel(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Frequency in Hz of a mel."""
    mel = np.asarray(mel, np.float64)
    above = _CORNER_HZ * np.exp((np.maximum(mel, _CORNER_MEL) - _CORNER_MEL) / _MELS_PER_NEPER)
    return np.where(mel < _CORNER_MEL, mel * _HZ_PER_MEL, above)


@lru_cache(maxsize=16)
def slaney_filters(rate: float, fft_length: int, num_bins: int, low: float, high: float) -> NDArray[np.float64]:
    """Triangles in Hz between points evenly spaced in mel, each divided by half its width, so that their areas are 1.

    Args:
        rate: Hz.
        fft_length: samples of the FFT.
        num_bins: filters.
        low, high: outer edges in Hz; a high of 0 or less counts from half the rate.

    Returns:
        float64 (fft_length // 2 + 1, num_bins), so that `spectrum @ filters` are the mel energies.

    Raises:
        KaldiError: the edges do not lie in order, or a filter holds no bin of the FFT.
    """
    nyquist = rate / 2
    top = high if high > 0 else nyquist + high
    if num_bins < 1 or not 0 <= low < top <= nyquist:
        raise KaldiError(
            f"--num-mel-bins={num_bins}, --low-freq={low:g} and --high-freq={high:g}: expected at least one filter, "
            f"and edges in order within 0 to {nyquist:g} Hz (half of --sample-frequency; found {low:g} to {top:g})"
        )
    points = inverse_slaney_mel(np.linspace(slaney_mel(low), slaney_mel(top), num_bins + 2))
    left, centre, right = points[:-2], points[1:-1], points[2:]
    freq = np.arange(fft_length // 2 + 1)[:, None] * (rate / fft_length)  # (bins, 1)
    triangles = np.maximum(0, np.minimum((freq - left) / (centre - left), (right - freq) / (right - centre)))
    empty = np.flatnonzero(triangles.max(axis=0) == 0)
    if len(empty):
        raise KaldiError(
            f"--num-mel-bins={num_bins} is too many: filter {empty[0]} ({left[empty[0]]:.0f} to {right[empty[0]]:.0f} "
            f"Hz) holds no bin of an FFT of {fft_length} samples"
        )
    return triangles * (2 / (right - left))


@lru_cache(maxsize=16)
def periodic_hann(length: int, fft_length: int) -> NDArray[np.float64]:
    """The window cos² of a period of `length` samples, zeros on both sides up to `fft_length`: (fft_length,)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    before = (fft_length - length) // 2
    return np.pad(window, (before, fft_length - length - before))


def windowed_power(frames: NDArray[Any], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """|FFT|² of windowed frames: (t, L) -> float64 (t, L // 2 + 1)."""
    spectrum = np.fft.rfft(frames * window, axis=1)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def check_sizes(**sizes: float) -> None:
    """Raises KaldiError for a size that is not above 0; names the option."""
    for name, size in sizes.items():
        if not size > 0:
            raise KaldiError(f"--{name.replace('_', '-')}={size:g}: expected a number above 0")
