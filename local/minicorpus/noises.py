"""Synthetic environmental noises and music for the augmented copies; each draw is another sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

NoiseMaker = Callable[[np.random.Generator, int, int], np.ndarray]
"""(rng, number of samples, sample rate in Hz) -> (N,) of any level."""

SCALE_STEPS = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
CHORDS = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (5, 7, 9))      # triads on the first, fourth, fifth and sixth degree


def white(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """Gaussian white noise."""
    return rng.standard_normal(num_samples)


def pink(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """Noise whose power falls as 1/f^a, a from 0.7 to 1.8: fans, traffic, surf."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequency = np.fft.rfftfreq(num_samples, 1 / sample_rate)
    return np.fft.irfft(spectrum / np.maximum(frequency, 20.0) ** (rng.uniform(0.7, 1.8) / 2), num_samples)


def band_noise(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """Noise through one resonance whose level changes slowly: wind, a hiss, an air duct."""
    centre, bandwidth = np.exp(rng.uniform(np.log(200), np.log(5000))), rng.uniform(100, 1500)
    noise = _resonate(rng.standard_normal(num_samples), centre, bandwidth, sample_rate)
    return noise * _slow_level(rng, num_samples, sample_rate)


def hum(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """Mains or engine: harmonics of a slightly unsteady low tone above a floor of noise."""
    f0 = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(30, 160)])
    drift = 1 + 0.01 * np.cumsum(rng.standard_normal(num_samples)) / np.sqrt(num_samples)
    phase = 2 * np.pi * np.cumsum(f0 * drift) / sample_rate
    amplitudes = rng.uniform(0, 1, 24) / np.arange(1, 25) ** 0.7
    tones = sum(a * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) for k, a in enumerate(amplitudes, start=1))
    return tones + 0.3 * rng.standard_normal(num_samples)


def impulsive(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """Knocks, clatter, keys: short resonant bursts at random moments above a quiet floor."""
    noise = 0.02 * rng.standard_normal(num_samples)
    for start in rng.integers(0, num_samples, max(2, int(rng.uniform(1, 8) * num_samples / sample_rate))):
        length = min(int(rng.uniform(0.02, 0.25) * sample_rate), num_samples - int(start))
        decay = np.exp(-6.0 * np.arange(length) / length)
        burst = _resonate(rng.standard_normal(length), rng.uniform(300, 5000), rng.uniform(50, 800), sample_rate)
        noise[start : start + length] += rng.uniform(0.3, 1.0) * decay * burst / (burst.std() + 1e-9)
    return noise


def siren(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """A tone that sweeps up and down, with a few harmonics: alarms, sirens, bird-like calls."""
    time = np.arange(num_samples) / sample_rate
    sweep = np.sin(2 * np.pi * rng.uniform(0.2, 4) * time + rng.uniform(0, 2 * np.pi))
    frequency = np.exp(rng.uniform(np.log(400), np.log(2500))) * np.exp(rng.uniform(0.1, 0.5) * sweep)
    phase = 2 * np.pi * np.cumsum(frequency) / sample_rate
    tones = np.sin(phase) + rng.uniform(0, 0.5) * np.sin(2 * phase) + rng.uniform(0, 0.3) * np.sin(3 * phase)
    return tones * _slow_level(rng, num_samples, sample_rate) + 0.05 * rng.standard_normal(num_samples)


NOISES: dict[str, NoiseMaker] = {
    "white": white, "pink": pink, "band": band_noise, "hum": hum, "impulsive": impulsive, "siren": siren
}


def music(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """A chord progression with a melody over it, in one key, of decaying harmonic notes: (num_samples,)."""
    steps = SCALE_STEPS[str(rng.choice(sorted(SCALE_STEPS)))]
    tonic, beat = rng.uniform(110, 220), rng.uniform(0.25, 0.6)
    harmonics = rng.uniform(0, 1, 10) / np.arange(1, 11) ** rng.uniform(0.5, 2)
    harmonics[0] = 1.0
    piece = np.zeros(num_samples)
    for count, start in enumerate(range(0, num_samples, int(beat * sample_rate))):
        degrees = [(int(rng.integers(7, 15)), 1.0)]
        if count % 4 == 0:
            degrees += [(degree, 4.0) for degree in CHORDS[rng.integers(len(CHORDS))]]
        for degree, beats in degrees:
            octave, step = divmod(degree, len(steps))
            note = _note(tonic * 2 ** (octave + steps[step] / 12), beats * beat, harmonics, sample_rate)
            end = min(num_samples, start + len(note))
            piece[start:end] += rng.uniform(0.3, 1.0) * note[: end - start]
    return piece


def _note(frequency: float, seconds: float, harmonics: np.ndarray, sample_rate: int) -> np.ndarray:
    """A struck note: harmonics below the Nyquist frequency, higher ones decay faster, with a soft start and end."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    edges = np.minimum(1.0, np.minimum(time, seconds - time) / 0.01)
    audible = [(k, a) for k, a in enumerate(harmonics, start=1) if k * frequency < 0.45 * sample_rate]
    tones = (a * np.sin(2 * np.pi * k * frequency * time) * np.exp(-(1.5 + 0.7 * k) * time) for k, a in audible)
    return edges * np.sum(list(tones), axis=0)


def _resonate(signal: np.ndarray, centre_hz: float, bandwidth_hz: float, sample_rate: int) -> np.ndarray:
    radius = np.exp(-np.pi * bandwidth_hz / sample_rate)
    return lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * centre_hz / sample_rate), radius**2], signal)


def _slow_level(rng: np.random.Generator, num_samples: int, sample_rate: int) -> np.ndarray:
    """An amplitude between about half and twice, with a new target each half second."""
    targets = np.arange(0, num_samples + sample_rate, sample_rate // 2)
    return np.exp(np.interp(np.arange(num_samples), targets, 0.4 * rng.standard_normal(len(targets))))
