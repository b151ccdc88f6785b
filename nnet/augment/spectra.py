"""Real FFTs in rows of a matrix, which cost a third of what they cost one by one.

pocketfft computes four and more rows side by side in vector registers. So a wave that is to be filtered is cut into
eight overlapping blocks; waves in rooms, whose responses are too long for that, are gathered by FFT length, from a
short ladder of lengths that are fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

from nnet.augment.signal import FloatArray

Spectrum = npt.NDArray[np.complex64]

ROWS = 8  # waves transformed at once: 45,000 samples of each, and their spectra, stay in the processor's cache
REGISTER = 4  # rows that fill the vector registers
_STEPS = (16, 18, 20, 21, 22, 24, 25, 27, 28, 30)  # sixteenths between two powers of two, products of 2, 3, 5, 7, 11
_SMALLEST = 4


def fast_length(least: int) -> int:
    """The shortest length of the ladder that is at least `least`; a multiple of 4."""
    octave = _SMALLEST
    while 32 * octave < least:
        octave *= 2
    return next((step * octave for step in _STEPS if step * octave >= least), 32 * octave)


def block_length(num_samples: int, margin: int) -> int:
    """A fast block length for a wave that fills ROWS blocks; `margin` samples at both ends of a block are unused."""
    return fast_length(-(-num_samples // ROWS) + 2 * margin)


def blocks_of(samples: FloatArray, shape: tuple[int, int], hop: int, before: int = 0) -> FloatArray:
    """A wave, `before` zeros before it and zeros after it, in overlapping blocks.

    Args:
        samples: float32 (N,).
        shape: rows, and samples of each.
        hop: samples from one block's first to the next one's.
        before: zeros in front.

    Returns:
        float32 of that shape, a view: rows share memory.
    """
    rows, length = shape
    padded = np.zeros((rows - 1) * hop + length, np.float32)
    padded[before : before + len(samples)] = samples
    step = padded.strides[0]
    return np.lib.stride_tricks.as_strided(padded, shape, (hop * step, step))


def filter_wave(samples: FloatArray, response: Callable[[int], FloatArray], margin: int) -> FloatArray:
    """The wave through a filter of zero phase.

    Args:
        samples: float32 (N,).
        response: what the filter does to the bins of an FFT of a given length, float32 (length / 2 + 1,).
        margin: samples that the filter reaches to either side.

    Returns:
        float32 (N,).
    """
    length = block_length(len(samples), margin)
    hop = length - 2 * margin
    blocks = blocks_of(samples, (-(-len(samples) // hop), length), hop, margin)
    spectra: Spectrum = rfft(blocks, axis=1)
    spectra *= response(length)
    return waves_of(spectra, length)[:, margin : margin + hop].reshape(-1)[: len(samples)]


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

    There may be up to two rows of zeros after those of the waves: filling the vector registers up is cheaper than
    transforming two or three waves one by one.
    """
    padded = np.empty((_full_rows(len(waves)), length), np.float32)
    padded[len(waves) :] = 0
    for row, wave in zip(padded, waves, strict=False):
        row[: len(wave)] = wave
        row[len(wave) :] = 0
    spectra: Spectrum = rfft(padded, axis=1, overwrite_x=True)
    return spectra


def resized(spectra: Spectrum, length: int, response: FloatArray) -> Spectrum:
    """The spectra times a response, for waves of another length: bins beyond either are zeros or left out."""
    rows, bins = len(spectra), length // 2 + 1
    kept = min(len(response), bins)
    changed = np.empty((rows, bins), np.complex64)
    np.multiply(spectra[:, :kept], response[:kept], out=changed[:, :kept])
    changed[:, kept:] = 0
    return changed


def waves_of(spectra: Spectrum, length: int) -> FloatArray:
    """The inverse of as many rows: complex64 (rows, length / 2 + 1), overwritten, -> float32 (rows, length)."""
    waves: FloatArray = irfft(spectra, length, axis=1, overwrite_x=True)
    return waves


def _full_rows(rows: int) -> int:
    return rows if rows % REGISTER < 2 else rows + REGISTER - rows % REGISTER


def energy(spectrum: Spectrum, length: int) -> float:
    """Sum of the squared samples of a wave, from its spectrum (length / 2 + 1,)."""
    ends = spectrum[0].real ** 2 + spectrum[-1].real ** 2
    return float(2 * np.vdot(spectrum, spectrum).real - ends) / length


def squared(spectrum: Spectrum) -> FloatArray:
    """|X|², float32."""
    return spectrum.real**2 + spectrum.imag**2
