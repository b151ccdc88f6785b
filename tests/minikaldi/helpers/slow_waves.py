"""What wav-reverberate does, written down sample by sample in float64; nothing here is shared with minikaldi.feat."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class SlowNoise:
    """Samples (M,), decibels below the early speech, start in seconds."""

    samples: np.ndarray
    snr_db: float
    start: float


def slow_corrupted(
    signal: np.ndarray,
    rate: int,
    room: np.ndarray | None = None,
    noises: tuple[SlowNoise, ...] = (),
    shift: bool = True,
    normalize: bool = True,
    volume: float = 0.0,
    duration: float = 0.0,
) -> np.ndarray:
    """The samples (N',) that are written, before they are cut to integers; `room` is in 16-bit steps."""
    output, early, delay, length = signal.astype(np.float64), mean_square(signal), 0, len(signal)
    if room is not None:
        response = room / 32768.0
        peak = max(range(len(room)), key=lambda i: room[i])
        begin, end = max(0, peak - rate // 1000), peak + rate // 20
        early = mean_square(kaldi_convolved(signal, response[begin:end]))
        output = kaldi_convolved(signal, response)
        delay, length = (peak, length) if shift else (0, len(output))
    for noise in noises:
        gain = math.sqrt(10 ** (-noise.snr_db / 10) * early / mean_square(noise.samples))
        first = samples_in(noise.start, rate)
        for i, x in enumerate(noise.samples):
            if first + i < len(output):
                output[first + i] += gain * float(x)
    if volume > 0:
        output = output * volume
    elif normalize:
        output = output * math.sqrt(mean_square(signal) / mean_square(output))
    wanted = samples_in(duration, rate) if duration > 0 else length
    return np.array([output[delay + i % len(signal)] for i in range(wanted)])


def mean_square(samples: np.ndarray) -> float:
    """The power."""
    return math.fsum(float(x) ** 2 for x in samples) / len(samples)


def samples_in(seconds: float, rate: int) -> int:
    """Seconds in samples, rounded down after a product in float32, as C's floats give it."""
    return int(np.float32(seconds) * np.float32(rate))


def kaldi_convolved(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The convolution, and what Kaldi's block-wise FFT adds to it.

    Its FFT keeps the sums X0 (of x) and X1 (of x with alternating signs), both real, as one complex number, and
    multiplies that of a block by that of the response: X0 H0 becomes X0 H0 - X1 H1, and X1 H1 becomes X0 H1 + X1 H0.
    """
    size = 1
    while size < 4 * len(response):
        size *= 2
    step = size - len(response) + 1
    output = np.zeros(len(signal) + len(response) - 1 + size)
    h0, h1 = total(response), alternating_total(response)
    for begin in range(0, len(signal), step):
        block = signal[begin : begin + step].astype(np.float64)
        exact = np.convolve(block, response)
        output[begin : begin + len(exact)] += exact
        x0, x1 = total(block), alternating_total(block)
        constant, alternation = -x1 * h1 / size, (x0 * h1 + x1 * h0 - x1 * h1) / size
        for n in range(size):
            output[begin + n] += constant + (-alternation if n % 2 else alternation)
    return output[: len(signal) + len(response) - 1]


def total(samples: np.ndarray) -> float:
    """x[0] + x[1] + x[2] + …"""
    return math.fsum(float(x) for x in samples)


def alternating_total(samples: np.ndarray) -> float:
    """x[0] - x[1] + x[2] - …"""
    return math.fsum(float(-x if n % 2 else x) for n, x in enumerate(samples))
