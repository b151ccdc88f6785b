"""Seeded signals for the inputs' golden numbers: RandomState's numbers are the same in every version of numpy."""

from __future__ import annotations

import numpy as np


def spoken(num_samples: int, rate: int, seed: int) -> np.ndarray:
    """A gliding harmonic tone with syllables, some noise, and digital silence in its third fifth: float32 (N,) of whole
    numbers in 16-bit scale."""
    random = np.random.RandomState(seed)
    time = np.arange(num_samples) / rate
    phase = 2 * np.pi * (120 * time + 150 * time**2)
    tone = sum(np.sin(n * phase) / n for n in range(1, 20))
    syllables = 1.1 + np.sin(2 * np.pi * 4 * time)
    samples = 4000 * tone * syllables + 60 * random.standard_normal(num_samples)
    samples[2 * num_samples // 5 : 3 * num_samples // 5] = 0
    return np.clip(np.rint(samples), -32768, 32767).astype(np.float32)


CASES = {  # case -> (samples, rate, seed)
    "logmel": (6011, 22050, 1),
    "logmel_hifigan": (6011, 22050, 1),
    "librosa_mfcc_constant": (9217, 16000, 2),
    "librosa_mfcc_reflect": (9217, 16000, 2),
}
