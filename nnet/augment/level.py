"""Level: gain, and peaks that are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnet.augment import ClippingOptions, GainOptions
from nnet.augment.material import Material
from nnet.augment.signal import FloatArray, Signal
from nnet.augment.wave_step import WaveStep


def amplified(samples: FloatArray, db: float) -> FloatArray:
    """The samples, `db` louder."""
    return samples * np.float32(10 ** (db / 20))


def cut_peaks(samples: FloatArray, db: float) -> FloatArray:
    """The samples, none larger than `db` below the largest."""
    limit = np.abs(samples).max(initial=0.0) * np.float32(10 ** (-db / 20))
    return np.clip(samples, -limit, limit)


class Clean(WaveStep):
    """Leaves the signals as they are."""

    def __init__(self, options: object, material: Material) -> None:
        """It needs neither."""

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals."""
        return signals


class Gain(WaveStep):
    """Draws a gain for each signal."""

    def __init__(self, options: GainOptions, material: Material) -> None:
        self._db = options.db

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals and the power of their speech, louder or softer."""
        return [self._amplified(signal, rng.uniform(*self._db)) for signal, rng in zip(signals, rngs, strict=True)]

    @staticmethod
    def _amplified(signal: Signal, db: float) -> Signal:
        speech = signal.speech_power
        louder = None if speech is None else speech * 10 ** (db / 10)
        return replace(signal, samples=amplified(signal.samples, db), speech_power=louder)


class Clipping(WaveStep):
    """Draws how much of each signal's peaks is cut."""

    def __init__(self, options: ClippingOptions, material: Material) -> None:
        self._db = options.db

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals, cut."""
        levels = [rng.uniform(*self._db) for rng in rngs]
        return [
            replace(signal, samples=cut_peaks(signal.samples, db)) for signal, db in zip(signals, levels, strict=True)
        ]
