"""What a line or a codec leaves of a wave: bands, lower rates, eight bits.

Filters have zero phase and are applied to the spectrum, so that speech stays where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from nnet.augment import (
    CompandingOptions,
    HighPassOptions,
    Law,
    LowPassOptions,
    ResampledOptions,
    TelephoneOptions,
)
from nnet.augment.material import Material
from nnet.augment.signal import FloatArray, Signal
from nnet.augment.spectra import Spectrum, by_length, common_lengths, spectra_of, waves_of

LONGER = 1.5  # by how much an FFT is lengthened at most to have company
EDGE = 512  # samples of zeros behind a wave, into which a filter rings
TELEPHONE_RATE = 8000
TELEPHONE_ORDER = 6
ROLL_OFF = 0.95  # of half the lower rate: where a resampling filter begins to fall; at 1 it passes nothing
MU, A = 255.0, 87.6


@lru_cache(maxsize=32)
def frequencies(length: int, sample_rate: float) -> FloatArray:
    """Hz of the bins of an FFT, float32 (length / 2 + 1,)."""
    return (np.arange(length // 2 + 1) * (sample_rate / length)).astype(np.float32)


def low_pass(hz: FloatArray, cutoff: float, order: int) -> FloatArray:
    """Butterworth's magnitude: 1 at 0 Hz, the root of a half at the cutoff, falling by 6 dB an octave and order."""
    return np.reciprocal(np.sqrt(1 + _powered(hz / np.float32(cutoff), 2 * order)))


def high_pass(hz: FloatArray, cutoff: float, order: int) -> FloatArray:
    """The same from the other side: 0 at 0 Hz, the root of a half at the cutoff, 1 far above it."""
    with np.errstate(divide="ignore"):
        return np.reciprocal(np.sqrt(1 + _powered(np.float32(cutoff) / hz, 2 * order)))


def _powered(base: FloatArray, exponent: int) -> FloatArray:
    """base ** exponent by squaring, ten times as fast as the operator; what float32 cannot hold is infinite."""
    result = np.ones_like(base)
    with np.errstate(over="ignore"):
        while exponent:
            if exponent % 2:
                result *= base
            base, exponent = base * base, exponent // 2
    return result


def resampling(hz: FloatArray, rate: float) -> FloatArray:
    """What a resampler to `rate` Hz and back passes: all up to 0.95 of rate / 2, nothing from rate / 2 on."""
    half = rate / 2
    passed = (hz < half).astype(np.float32)
    edge = slice(*np.searchsorted(hz, [ROLL_OFF * half, half]))
    passed[edge] = np.square(np.sin(np.pi / 2 * (half - hz[edge]) / (half * (1 - ROLL_OFF))))
    return passed


def companded(samples: FloatArray, law: str) -> FloatArray:
    """The samples after eight bits of mu-law or A-law, rounded to whole numbers and clipped to 16 bits first.

    Source: ITU-T G.711, by the laws' formulas (mu = 255, A = 87.6) in place of their tables of segments.
    """
    whole = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return _table(law)[whole.view(np.uint16)]


@lru_cache(maxsize=2)
def _table(law: str) -> FloatArray:
    """What becomes of each 16-bit value, by its bits read as an unsigned number: float32 (65536,)."""
    x = np.arange(65536, dtype=np.uint16).view(np.int16) / 32768.0
    size = np.abs(x)
    if law == "mu":
        code = np.rint(127 * np.log1p(MU * size) / np.log1p(MU)) / 127
        decoded = np.expm1(code * np.log1p(MU)) / MU
    else:
        norm = 1 + np.log(A)
        code = np.where(size < 1 / A, A * size, 1 + np.log(np.maximum(A * size, 1))) / norm
        code = np.rint(127 * code) / 127
        decoded = np.where(code < 1 / norm, code * norm / A, np.exp(code * norm - 1) / A)
    return (np.sign(x) * decoded * 32768).astype(np.float32)


def draw_law(law: Law, rng: np.random.Generator) -> str:
    """The law, one of the two for "any"."""
    return law if law != "any" else ("mu", "a")[int(rng.integers(2))]


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


class _Filter:
    """Multiplies each signal's spectrum by a response that it draws."""

    def __init__(self, sample_rate: float) -> None:
        self._sample_rate = sample_rate

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals, filtered; the power of their speech is taken anew where it is needed."""
        passed = list(signals)
        waves_in = [np.concatenate([s.before, s.samples]) if len(s.before) else s.samples for s in signals]
        for length, places in by_length(common_lengths([len(wave) + EDGE for wave in waves_in], LONGER)):
            spectra = spectra_of([waves_in[place] for place in places], length)
            hz = frequencies(length, self._sample_rate)
            for row, place in zip(spectra, places, strict=False):
                row *= self._response(hz, rngs[place])
            waves = self._waves(spectra, length, [rngs[place] for place in places])
            for wave, place in zip(waves, places, strict=False):
                before, samples, _ = np.split(wave, [len(signals[place].before), len(waves_in[place])])
                passed[place] = replace(signals[place], samples=samples, before=before, speech_power=None)
        return passed

    def _response(self, hz: FloatArray, rng: np.random.Generator) -> FloatArray:
        raise NotImplementedError

    def _waves(self, spectra: Spectrum, length: int, rngs: Sequence[np.random.Generator]) -> FloatArray:
        """From the filtered spectra back to waves."""
        return waves_of(spectra, length)


class LowPass(_Filter):
    """Draws a low-pass."""

    def __init__(self, options: LowPassOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options

    def _response(self, hz: FloatArray, rng: np.random.Generator) -> FloatArray:
        return low_pass(hz, _log_uniform(self._options.cutoff, rng), self._options.order)


class HighPass(_Filter):
    """Draws a high-pass."""

    def __init__(self, options: HighPassOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options

    def _response(self, hz: FloatArray, rng: np.random.Generator) -> FloatArray:
        return high_pass(hz, _log_uniform(self._options.cutoff, rng), self._options.order)


class Resampled(_Filter):
    """Draws a lower rate."""

    def __init__(self, options: ResampledOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._rates = options.rates

    def _response(self, hz: FloatArray, rng: np.random.Generator) -> FloatArray:
        return resampling(hz, self._rates[int(rng.integers(len(self._rates)))])


class Telephone(_Filter):
    """Draws a band and a law; the eight bits are taken at 8 kHz where the wave's rate is a multiple of it."""

    def __init__(self, options: TelephoneOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options
        self._fold = int(self._sample_rate // TELEPHONE_RATE) if self._sample_rate % TELEPHONE_RATE == 0 else 1

    def _response(self, hz: FloatArray, rng: np.random.Generator) -> FloatArray:
        low, high = rng.uniform(*self._options.low), rng.uniform(*self._options.high)
        band = high_pass(hz, low, TELEPHONE_ORDER) * low_pass(hz, high, 2 * TELEPHONE_ORDER)
        return band * resampling(hz, TELEPHONE_RATE)

    def _waves(self, spectra: Spectrum, length: int, rngs: Sequence[np.random.Generator]) -> FloatArray:
        fold = self._fold if length % (2 * self._fold) == 0 else 1
        narrow = waves_of(spectra, length // fold) / np.float32(fold)
        coded = [companded(wave, draw_law(self._options.law, rng)) for wave, rng in zip(narrow, rngs, strict=False)]
        return waves_of(spectra_of(coded, length // fold), length) * np.float32(fold)


class Companding:
    """Draws a law."""

    def __init__(self, options: CompandingOptions, material: Material) -> None:
        self._law = options.law

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals in eight bits."""
        return [
            replace(signal, samples=companded(signal.samples, draw_law(self._law, rng)))
            for signal, rng in zip(signals, rngs, strict=True)
        ]
