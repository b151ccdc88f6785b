"""What a device, a line or a codec does to a wave: colour, bands, lower rates, eight bits.

Filters have zero phase and are applied to the spectrum, so that speech stays where it was.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.fft import rfft

from nnet.augment import (
    ColourOptions,
    CompandingOptions,
    HighPassOptions,
    LowPassOptions,
    ResampledOptions,
    TelephoneOptions,
)
from nnet.augment.material import Material
from nnet.augment.options import Law
from nnet.augment.signal import FloatArray, Signal
from nnet.augment.spectra import block_length, blocks_of, filter_wave, resized, waves_of
from nnet.augment.wave_step import WaveStep

MARGIN = 512  # samples that a filter's ringing is followed to either side
TELEPHONE_RATE = 8000
FOOT, TOP = 0.6, 1.05  # of a telephone band's edges, at which it has fallen to nothing
ROLL_OFF = 0.95  # of half the lower rate, at which a resampling filter begins to fall; at 1 it passes nothing
MU, A = 255.0, 87.6
LOWEST = 60.0  # Hz, at which a device's curve begins; below it is level


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


def band_pass(hz: FloatArray, low: float, high: float) -> FloatArray:
    """Passes `low` to `high` Hz; falls by a raised cosine to nothing at 0.6 of the one and 1.05 of the other."""
    passed = ((hz >= low) & (hz <= high)).astype(np.float32)
    for edge, end in ((low, FOOT * low), (high, TOP * high)):
        place = slice(*np.searchsorted(hz, sorted((edge, end))))
        passed[place] = np.square(np.cos(np.pi / 2 * (hz[place] - edge) / (end - edge)))
    return passed


def coloured(hz: FloatArray, octaves: float, levels: FloatArray) -> FloatArray:
    """The magnitude of a curve through `levels` in dB, the first at 60 Hz, `octaves` apart, straight between them on
    the log scale of frequency, level before and after."""
    places = np.log2(np.maximum(hz, LOWEST) / LOWEST) / octaves
    curve = np.interp(places, np.arange(len(levels)), levels)
    return (10 ** (curve / 20)).astype(np.float32)


def companded(samples: FloatArray, law: str) -> FloatArray:
    """The samples after eight bits of mu-law or A-law, rounded to whole numbers and clipped to 16 bits first.

    Source: ITU-T G.711, by the laws' formulas (mu = 255, A = 87.6) in place of their tables of segments.
    """
    whole = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return _table(law)[whole.view(np.uint16)]


@lru_cache(maxsize=2)
def _table(law: str) -> FloatArray:
    """Each 16-bit value after the law, by its bits read as an unsigned number: float32 (65536,)."""
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


def telephoned(samples: FloatArray, sample_rate: float, low: float, high: float, law: str) -> FloatArray:
    """The samples through a telephone line.

    Args:
        samples: float32 (N,).
        sample_rate: Hz; if it is a multiple of 8 kHz the eight bits are taken at 8 kHz, else at that rate.
        low: lower edge of the band in Hz.
        high: upper edge of the band in Hz.
        law: mu or a.

    Returns:
        float32 (N,).
    """
    fold = int(sample_rate // TELEPHONE_RATE) if sample_rate % TELEPHONE_RATE == 0 else 1
    length = block_length(len(samples), MARGIN)
    length += -length % (2 * fold)
    hop, short = length - 2 * MARGIN, length // fold
    rows = -(-len(samples) // hop)
    passed = band_pass(frequencies(length, sample_rate), low, high)
    spectra = resized(rfft(blocks_of(samples, (rows, length), hop, MARGIN), axis=1), short, passed / np.float32(fold))
    edge = MARGIN // fold
    narrow = companded(waves_of(spectra, short)[:, edge : edge + hop // fold].reshape(-1), law)
    spectra = rfft(blocks_of(narrow, (rows, short), hop // fold, edge), axis=1)
    wide = waves_of(resized(spectra, length, np.full(short // 2 + 1, fold, np.float32)), length)
    return wide[:, MARGIN : MARGIN + hop].reshape(-1)[: len(samples)]


class _Filter(WaveStep):
    """Filters each signal by a response that it draws."""

    def __init__(self, sample_rate: float) -> None:
        self._sample_rate = sample_rate

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals, filtered; the power of their speech is computed again if it is needed."""
        pairs = zip(signals, rngs, strict=True)
        return [replace(s, samples=self._filtered(s.samples, rng), speech_power=None) for s, rng in pairs]

    def _filtered(self, samples: FloatArray, rng: np.random.Generator) -> FloatArray:
        draw = self._draw(rng)
        return filter_wave(samples, lambda length: draw(frequencies(length, self._sample_rate)), MARGIN)

    @abstractmethod
    def _draw(self, rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
        """From Hz to what is passed."""


class LowPass(_Filter):
    """Draws a low-pass."""

    def __init__(self, options: LowPassOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options

    def _draw(self, rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
        cutoff = _log_uniform(self._options.cutoff, rng)
        return lambda hz: low_pass(hz, cutoff, self._options.order)


class HighPass(_Filter):
    """Draws a high-pass."""

    def __init__(self, options: HighPassOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options

    def _draw(self, rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
        cutoff = _log_uniform(self._options.cutoff, rng)
        return lambda hz: high_pass(hz, cutoff, self._options.order)


class Colour(_Filter):
    """Draws a device."""

    def __init__(self, options: ColourOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._options = options
        self._points = int(np.ceil(np.log2(material.sample_rate / 2 / LOWEST) / options.octaves)) + 1

    def _draw(self, rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
        swing = rng.uniform(*self._options.db)
        levels = rng.uniform(-swing, swing, self._points).astype(np.float32)
        return lambda hz: coloured(hz, self._options.octaves, levels)


class Resampled(_Filter):
    """Draws a lower rate."""

    def __init__(self, options: ResampledOptions, material: Material) -> None:
        super().__init__(material.sample_rate)
        self._rates = options.rates

    def _draw(self, rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
        rate = self._rates[int(rng.integers(len(self._rates)))]
        return lambda hz: resampling(hz, rate)


class Telephone(WaveStep):
    """Draws a line."""

    def __init__(self, options: TelephoneOptions, material: Material) -> None:
        self._options, self._sample_rate = options, material.sample_rate

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals through their lines; the power of their speech is computed again if it is needed."""
        return [self._through(signal, rng) for signal, rng in zip(signals, rngs, strict=True)]

    def _through(self, signal: Signal, rng: np.random.Generator) -> Signal:
        low, high = rng.uniform(*self._options.low), rng.uniform(*self._options.high)
        law = draw_law(self._options.law, rng)
        samples = telephoned(signal.samples, self._sample_rate, low, high, law)
        return replace(signal, samples=samples, speech_power=None)


class Companding(WaveStep):
    """Draws a law."""

    def __init__(self, options: CompandingOptions, material: Material) -> None:
        self._law = options.law

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals in eight bits."""
        return [
            replace(signal, samples=companded(signal.samples, draw_law(self._law, rng)))
            for signal, rng in zip(signals, rngs, strict=True)
        ]
