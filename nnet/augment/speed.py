"""Speech at another speed, by changing the number of samples in the spectrum.

A wave of num·m samples has its FFT bins at the same frequencies as one of den·m samples at num / den of the rate. So
speed num / den is: a forward FFT of num·m samples, the low-pass of `utils/to_wav.py --speed`, and an inverse FFT of
den·m samples; it gives what polyphase filtering gives, within 80 dB (the filter's stop band), for less.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy.fft import rfft

from minikaldi.feat.resample import WIDEBAND_KAISER_BETA, WIDEBAND_ZEROS
from nnet.augment.signal import FloatArray
from nnet.augment.spectra import block_length, blocks_of, resized, waves_of

CUTOFF = 0.95  # of the lower half rate, as in the filter of to_wav.py
MARGIN = 60  # samples at the lower rate that the filter reaches to either side, and some


@dataclass(frozen=True)
class Passage:
    """Where samples start … stop - 1 of the faster wave come from.

    Attributes:
        first: the first sample of the original, which may lie before its beginning.
        last: one after the last sample of the original, which may lie after its end.
        skip: samples at the beginning of the result that are not wanted.
        length: samples that are wanted.
    """

    first: int
    last: int
    skip: int
    length: int


@lru_cache(maxsize=32)
def ratio(factor: float) -> tuple[int, int]:
    """A speed as a fraction: 1.1 is 11 / 10."""
    fraction = Fraction(factor).limit_denominator(1000)
    return fraction.numerator, fraction.denominator


def num_samples_at(factor: float, num_samples: int) -> int:
    """Samples of the whole wave at that speed, as to_wav.py makes them: rounded up."""
    num, den = ratio(factor)
    return -(-num_samples * den // num)


def passage(factor: float, start: int, stop: int) -> Passage:
    """Which samples of the original make samples start … stop - 1 at that speed."""
    num, den = ratio(factor)
    margin = _margin(num, den)
    block = start // den - margin  # output sample block·den is input sample block·num exactly
    last = -(-stop * num // den) + margin * num
    return Passage(block * num, last, start - block * den, stop - start)


def change_speed(wave: FloatArray, wanted: Passage, factor: float) -> FloatArray:
    """What a passage asks for, from samples first … last - 1 of the original.

    Args:
        wave: float32 (last - first,), zeros if the passage reaches over an end of the original.
        wanted: as `passage` gives it.
        factor: the speed.

    Returns:
        float32 (length,): whole numbers in 16-bit range, as to_wav.py writes them.
    """
    num, den = ratio(factor)
    margin = _margin(num, den)
    num_blocks = -(-(wanted.skip + wanted.length) // den) - margin  # of den samples each, from the first good one on
    size = block_length(num_blocks, margin)
    hop = size - 2 * margin
    spectra = rfft(blocks_of(wave, (-(-num_blocks // hop), size * num), hop * num), axis=1)
    rows = waves_of(resized(spectra, size * den, _response(num, den, size)), size * den)
    begin = wanted.skip - margin * den
    samples = np.rint(rows[:, margin * den : -margin * den].reshape(-1)[begin : begin + wanted.length])
    return np.clip(samples, -32768, 32767, out=samples)


def _margin(num: int, den: int) -> int:
    """How far the filter reaches, in blocks of num samples of the original, den of the faster wave."""
    return -(-MARGIN // min(num, den))


@lru_cache(maxsize=64)
def _response(num: int, den: int, block: int) -> FloatArray:
    """The low-pass at the bins of the shorter FFT, float32 (min(num, den) · block / 2 + 1,), scaled for the inverse."""
    grid = max(num, den)
    width = int(WIDEBAND_ZEROS / (CUTOFF / grid))
    time = np.arange(-width, width + 1)
    taps = np.sinc(CUTOFF / grid * time) * np.kaiser(len(time), WIDEBAND_KAISER_BETA)
    centred = np.zeros(num * den * block)
    centred[time] = taps / taps.sum()
    response = np.fft.rfft(centred).real[: min(num, den) * block // 2 + 1]
    return (response * (den / num)).astype(np.float32)
