"""Real FFTs of many waves at once.

pocketfft computes four and more rows of a matrix side by side in vector registers: a row of 45,000 samples costs a
third of what it costs alone. So waves are gathered by FFT length, from a short ladder of lengths that are fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

from nnet.augment.signal import FloatArray

Spectrum = npt.NDArray[np.complex64]

ROWS = 8  # waves transformed at once: 45,000 samples of each, and their spectra, stay in the processor's cache
REGISTER = 4  # rows that fill the vector registers
_STEPS = (16, 18, 20, 21, 22, 24, 25, 27, 28, 30)  # sixteenths between two powers of two, products of 2, 3, 5, 7, 11
_SMALLEST = 32


def fast_length(least: int) -> int:
    """The shortest length of the ladder that is at least `least`; a multiple of 32."""
    octave = _SMALLEST
    while 32 * octave < least:
        octave *= 2
    return next((step * octave for step in _STEPS if step * octave >= least), 32 * octave)


def common_lengths(least: Sequence[int], longer: float) -> list[int]:
    """An FFT length for each of a few waves: that of the longest for all that it makes at most so many times longer.

    A wave alone costs three times what it costs in a row of four, so that some length more is worth it.
    """
    lengths: dict[int, int] = {}
    longest = 0
    for each in sorted(set(least), reverse=True):
        if longest > longer * each or not longest:
            longest = fast_length(each)
        lengths[each] = longest
    return [lengths[each] for each in least]


def by_length(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """(length, places) of at most ROWS waves each, the shortest length first."""
    for length in sorted(set(lengths)):
        places = [place for place, each in enumerate(lengths) if each == length]
        for start in range(0, len(places), ROWS):
            yield length, places[start : start + ROWS]


def spectra_of(waves: Sequence[FloatArray], length: int) -> Spectrum:
    """rfft of each wave, padded with zeros: complex64 (rows, length / 2 + 1).

    There may be up to two rows of zeros behind those of the waves: filling the vector registers up is cheaper than
    transforming two or three waves one by one.
    """
    padded = np.empty((_full_rows(len(waves)), length), np.float32)
    padded[len(waves) :] = 0
    for row, wave in zip(padded, waves, strict=False):
        row[: len(wave)] = wave
        row[len(wave) :] = 0
    spectra: Spectrum = rfft(padded, axis=1, overwrite_x=True)
    return spectra


def waves_of(spectra: Spectrum, length: int) -> FloatArray:
    """The inverse of as many rows: float32 (rows, length); missing bins are zeros, those beyond `length` left out.

    The spectra are overwritten.
    """
    rows, bins = len(spectra), length // 2 + 1
    if spectra.shape[1] != bins:
        kept = min(spectra.shape[1], bins)
        resized = np.empty((rows, bins), np.complex64)
        resized[:, :kept] = spectra[:, :kept]
        resized[:, kept:] = 0
        spectra = resized
    waves: FloatArray = irfft(spectra, length, axis=1, overwrite_x=True)
    return waves


def _full_rows(rows: int) -> int:
    return rows if rows % REGISTER < 2 else rows + REGISTER - rows % REGISTER


def energy_weights(length: int) -> FloatArray:
    """w with which sum(w |X|²) is the sum of the squared samples (Parseval), for an even length: (length / 2 + 1,)."""
    weights = np.full(length // 2 + 1, 2.0 / length, np.float32)
    weights[[0, -1]] = 1.0 / length
    return weights


def squared(spectrum: Spectrum) -> FloatArray:
    """|X|², float32."""
    return spectrum.real**2 + spectrum.imag**2
