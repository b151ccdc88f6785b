"""Speech at another speed, by changing the number of samples in the spectrum.

A wave of num·m samples has its FFT bins at the same frequencies as one of den·m samples at num / den of the rate. So
speed num / den is: a forward FFT of num·m samples, the low-pass of `utils/to_wav.py --speed`, and an inverse FFT of
den·m samples; it gives what polyphase filtering gives, within 80 dB (the filter's stop band), for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from minikaldi.feat.resample import WIDEBAND_KAISER_BETA, WIDEBAND_ZEROS
from nnet.augment.signal import FloatArray
from nnet.augment.spectra import by_length, common_lengths, spectra_of, waves_of

CUTOFF = 0.95  # of the lower half rate, as in the filter of to_wav.py
LONGER = 1.15  # by how much an FFT is lengthened at most to have company
MARGIN = 60  # samples at the lower rate that the filter reaches to either side, and some


@dataclass(frozen=True)
class Passage:
    """Where samples start … stop - 1 of the faster wave come from.

    first, last: the samples of the original from `first` to `last` - 1, which may reach over its ends. skip: samples at
    the beginning of what they give that are not wanted. length: samples that are.
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
    margin = -(-MARGIN // min(num, den))
    block = start // den - margin  # output sample block·den is input sample block·num exactly
    last = -(-stop * num // den) + margin * num
    return Passage(block * num, last, start - block * den, stop - start)


def change_speed(waves: Sequence[FloatArray], passages: Sequence[Passage], factor: float) -> list[FloatArray]:
    """What each passage asks for, from samples first … last - 1 of the original.

    Args:
        waves: float32 (last - first,) each, zeros where the passage reaches over an end of the original.
        passages: as `passage` gives them.
        factor: the speed of all.

    Returns:
        float32 (length,) each: whole numbers in 16-bit range, as to_wav.py writes them.
    """
    num, den = ratio(factor)
    blocks = common_lengths([-(-len(wave) // num) for wave in waves], LONGER)
    changed: list[FloatArray] = [np.zeros(0, np.float32)] * len(waves)
    for block, places in by_length(blocks):
        spectra = spectra_of([waves[place] for place in places], num * block)
        response = _response(num, den, block)
        rows = waves_of(spectra[:, : len(response)] * response, den * block)
        for place, row in zip(places, rows, strict=False):
            wanted = passages[place]
            samples = np.rint(row[wanted.skip : wanted.skip + wanted.length])
            changed[place] = np.clip(samples, -32768, 32767, out=samples)
    return changed


@lru_cache(maxsize=32)
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
