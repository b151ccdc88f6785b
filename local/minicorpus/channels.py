"""The frequency response of a recording device or line: a smooth curve, and sometimes the band of a telephone."""

from __future__ import annotations

import numpy as np

from local.minicorpus.config import ChannelOptions

CHANNEL_BINS = 257              # of the log magnitude curve: a linear-phase filter of 512 taps
CHANNEL_COSINES = 6
TELEPHONE_DEPTH_DB = 40.0


def draw_channel(rng: np.random.Generator, options: ChannelOptions, sample_rate: int) -> np.ndarray:
    """A smooth random magnitude curve in dB over 0 … Nyquist, sometimes with a telephone band: (257,)."""
    frequency = np.linspace(0.0, 1.0, CHANNEL_BINS)
    order = np.arange(1, CHANNEL_COSINES + 1)
    weights = rng.standard_normal(CHANNEL_COSINES) * options.eq_db / np.sqrt(order)
    curve = weights @ np.cos(np.pi * order[:, None] * frequency)
    curve += rng.normal(0, options.tilt_db) * (2 * frequency - 1)
    if rng.random() < options.telephone:
        hertz = frequency * sample_rate / 2
        low, high = rng.uniform(*options.telephone_low_hz), rng.uniform(*options.telephone_high_hz)
        curve -= TELEPHONE_DEPTH_DB / (1 + np.exp((hertz - low) / 25.0))
        curve -= TELEPHONE_DEPTH_DB / (1 + np.exp(-(hertz - high) / 120.0))
    return curve


def linear_phase_filter(curve_db: np.ndarray) -> np.ndarray:
    """Taps (2 (K - 1),) of a filter with the magnitude curve (K,) in dB, delayed by half its length."""
    taps = np.fft.irfft(10 ** (curve_db / 20))
    return np.roll(taps, len(taps) // 2) * np.hanning(len(taps))
