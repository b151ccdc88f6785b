"""Triangular filters, evenly spaced and equally wide on the mel scale, with vocal-tract-length warping.

Source: Kaldi, feat/mel-computations.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.log import log
from common.options import option
from minikaldi.options import CommandOptions


@dataclass
class MelOptions(CommandOptions):
    """The mel filter bank (Kaldi's MelBanksOptions)."""

    num_mel_bins: int = option(23, "Number of mel filters")
    low_freq: float = option(20.0, "Lower edge of the first filter in Hz")
    high_freq: float = option(0.0, "Upper edge of the last filter in Hz; if 0 or less, counted from half the rate")
    vtln_low: float = option(100.0, "Lower end, in Hz, of the linear part of the frequency warp")
    vtln_high: float = option(-500.0, "Upper end of the linear part in Hz; if negative, counted from half the rate")
    debug_mel: bool = option(False, "Log the filters' outputs of each frame")


def mel_scale(freq: NDArray[np.floating[Any]] | float) -> NDArray[np.float64]:
    """Mel of a frequency in Hz: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.asarray(freq, np.float64) / 700.0)


def inverse_mel_scale(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Frequency in Hz of a mel."""
    return 700.0 * np.expm1(np.asarray(mel, np.float64) / 1127.0)


def warped_frequency(
    freq: NDArray[np.float64], warp: float, low: float, high: float, vtln_low: float, vtln_high: float
) -> NDArray[np.float64]:
    """Piecewise linear warp of frequencies: f / warp in the middle, with `low` and `high` fixed.

    Args:
        freq: float64, any shape, Hz.
        warp: the speaker's factor, 1 for none.
        low: lower edge of the filter bank in Hz; nothing is warped below it.
        high: upper edge of the filter bank in Hz; nothing is warped above it.
        vtln_low: lower end of the middle part in Hz.
        vtln_high: upper end of the middle part in Hz.

    Returns:
        float64 of the same shape, Hz.
    """
    left = vtln_low * max(1.0, warp)
    right = vtln_high * min(1.0, warp)
    inside = np.interp(freq, [low, left, right, high], [low, left / warp, right / warp, high])
    return np.where((freq < low) | (freq > high), freq, inside)


def _upper_edges(options: MelOptions, nyquist: float) -> tuple[float, float]:
    """The upper ends of the filter bank and of the warp in Hz; negative values count from half the sampling rate."""
    high = options.high_freq if options.high_freq > 0 else nyquist + options.high_freq
    vtln_high = options.vtln_high if options.vtln_high >= 0 else nyquist + options.vtln_high
    return high, vtln_high


def _check(options: MelOptions, nyquist: float, warp: float) -> None:
    high, vtln_high = _upper_edges(options, nyquist)
    low, vtln_low = options.low_freq, options.vtln_low
    if options.num_mel_bins < 3:
        raise KaldiError(f"--num-mel-bins={options.num_mel_bins} is too few; at least 3 are needed")
    if not 0 <= low < high <= nyquist:
        raise KaldiError(
            f"--low-freq={low:g} and --high-freq={options.high_freq:g} span {low:g} to {high:g} Hz, which does not lie "
            f"within 0 to {nyquist:g} Hz (half of --sample-frequency)"
        )
    # A warp far from 1 moves the ends of its linear part past each other; Kaldi's filters are then meaningless.
    within = low < vtln_low < vtln_high < high and warp > 0
    if warp != 1.0 and not (within and vtln_low * max(1.0, warp) < vtln_high * min(1.0, warp)):
        raise KaldiError(
            f"a warp of {warp:g} with --vtln-low={vtln_low:g} and --vtln-high={options.vtln_high:g}: these must span "
            f"a range inside the filters' {low:g} to {high:g} Hz, also after the warp, which must be above 0"
        )


def mel_filters(options: MelOptions, sample_frequency: float, fft_samples: int, warp: float) -> NDArray[np.float32]:
    """The filter bank as a matrix, so that `spectra @ filters` are the mel energies.

    Args:
        options: the filters.
        sample_frequency: Hz.
        fft_samples: length of the FFT, even.
        warp: the speaker's vocal-tract factor, 1 for none.

    Returns:
        float32 (fft_samples // 2 + 1, num_mel_bins); the row at half the sampling rate is zero, as in Kaldi.

    Raises:
        KaldiError: the edges are not in order, or a filter is so narrow that it holds no FFT bin.
    """
    edges = (options.low_freq, options.high_freq, options.vtln_low, options.vtln_high)
    return _cached_filters(options.num_mel_bins, edges, sample_frequency, fft_samples, warp)


@lru_cache(maxsize=64)
def _cached_filters(
    num_bins: int, edges: tuple[float, float, float, float], sample_frequency: float, fft_samples: int, warp: float
) -> NDArray[np.float32]:
    options = MelOptions(num_bins, *edges)
    nyquist = 0.5 * sample_frequency
    _check(options, nyquist, warp)
    high, vtln_high = _upper_edges(options, nyquist)
    points = np.linspace(mel_scale(options.low_freq), mel_scale(high), num_bins + 2)
    if warp != 1.0:
        warped = warped_frequency(inverse_mel_scale(points), warp, options.low_freq, high, options.vtln_low, vtln_high)
        points = mel_scale(warped)
    left, center, right = points[:-2], points[1:-1], points[2:]
    mel = mel_scale(np.arange(fft_samples // 2) * (sample_frequency / fft_samples))[:, None]  # (bins, 1)
    rising, falling = (mel - left) / (center - left), (right - mel) / (right - center)
    weights = np.maximum(np.minimum(rising, falling), 0.0)
    empty = np.flatnonzero(weights.max(axis=0) == 0)
    if len(empty):
        raise KaldiError(
            f"--num-mel-bins={num_bins} is too many: filter {empty[0]} ({inverse_mel_scale(left[empty[0]]):.0f} to "
            f"{inverse_mel_scale(right[empty[0]]):.0f} Hz) holds no bin of a {fft_samples}-point FFT"
        )
    return np.vstack([weights, np.zeros(num_bins)]).astype(np.float32)


def log_mel_energies(mel_energies: NDArray[np.float32]) -> None:
    """Log the filters' outputs (T, num_mel_bins), one line per frame, for --debug-mel."""
    for frame in mel_energies:
        log("MEL BANKS: " + " ".join(f"{value:f}" for value in frame))
