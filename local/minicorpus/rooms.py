"""Room impulse responses: a direct path and an exponentially decaying tail of Gaussian noise."""

from __future__ import annotations

import numpy as np

MAX_SECONDS = 0.5       # the tail ends here; at T60 = 0.9 s it is 33 dB down


def room_impulse_response(
    rng: np.random.Generator, t60: float, direct_to_reverberant_db: float, sample_rate: int
) -> np.ndarray:
    """A random response whose first sample, the direct path, is 1.

    Args:
        rng: generator of the tail.
        t60: time in seconds in which the tail falls by 60 dB.
        direct_to_reverberant_db: energy of the direct path over that of the tail, in dB.
        sample_rate: in Hz.

    Returns:
        (N,) float64.
    """
    time = np.arange(int(sample_rate * min(MAX_SECONDS, t60))) / sample_rate
    response = rng.standard_normal(len(time)) * 10 ** (-3.0 * time / t60)
    response[: int(rng.uniform(0.001, 0.008) * sample_rate)] = 0.0      # nothing comes before the first reflection
    response *= 10 ** (-direct_to_reverberant_db / 20) / np.sqrt((response**2).sum() + 1e-9)
    response[0] = 1.0
    return response
