"""A wave in a room.

Source: Kaldi, featbin/wav-reverberate.cc, through minikaldi/feat/reverberate.py: the output begins where the response
is strongest, it has the power of the dry wave, and noises refer to the power of the early part (direct sound and
reflections within 50 ms). Here the power of the early part and of the whole are taken off the spectrum (Parseval), so
that a wave costs two FFTs. Unlike Kaldi's, the convolution is exact at 0 Hz and at half the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import rfft

from common.errors import InputError
from minikaldi.feat.reverberate import early_response
from nnet.augment import RoomOptions
from nnet.augment.cache import BoundedCache
from nnet.augment.material import Material
from nnet.augment.signal import FloatArray, Signal, signal_power
from nnet.augment.spectra import (
    Spectrum,
    by_length,
    common_lengths,
    energy,
    spectra_of,
    squared,
    waves_of,
)
from nnet.augment.wave_step import WaveStep

SCALE = np.float32(1 / 32768)  # an impulse response's file holds 16-bit values; full scale is a unit impulse
BLOCK = 64  # samples: how finely that end is measured
FOLD, LONG_ENOUGH = 8, 20000  # bins taken together, and from which FFT length on
LONGER = 1.15  # by how much an FFT is lengthened at most, so that several waves share it
NEGLIGIBLE = 1e-8  # share of the energy: what the response's end holds of less is cut off, and shortens the FFT


@dataclass(frozen=True)
class Response:
    """An impulse response.

    Attributes:
        samples: float32 (R,), without the negligible end.
        num_samples: with that end.
        early: float32 (R',), its early part.
        delay: place of the peak.
    """

    samples: FloatArray
    num_samples: int
    early: FloatArray
    delay: int


@dataclass(frozen=True)
class ResponseSpectrum:
    """At one FFT length: the spectrum, and |early part|² for each FOLD of its bins, half the rate left out."""

    whole: Spectrum
    early: FloatArray


def make_response(samples: FloatArray, sample_rate: float) -> Response | None:
    """The response of a file's samples (16-bit scale), without its negligible end; None for silence."""
    if not samples.any():
        return None
    energies = np.add.reduceat(samples.astype(np.float64) ** 2, np.arange(0, len(samples), BLOCK))
    energy_left = np.cumsum(energies[::-1])[::-1]
    num_blocks = int(np.count_nonzero(energy_left > NEGLIGIBLE * energy_left[0]))
    kept = samples[: num_blocks * BLOCK] * SCALE
    return Response(kept, len(samples), early_response(kept, sample_rate), int(np.argmax(kept)))


def response_spectra(responses: Sequence[Response], length: int) -> list[ResponseSpectrum]:
    """Each response at an FFT length."""
    whole = spectra_of([response.samples for response in responses], length)
    return [
        ResponseSpectrum(spectrum.copy(), early_spectrum(response.early, length))
        for response, spectrum in zip(responses, whole, strict=False)
    ]


def fold_of(length: int) -> int:
    """How many bins are taken together for the power of the early part."""
    return FOLD if length % (2 * FOLD) == 0 and length >= LONG_ENOUGH else 1


def early_spectrum(early: FloatArray, length: int) -> FloatArray:
    """|early part|² between bins, the mean of both ends of `fold_of` bins: float32 (length / 2 / fold,).

    The early part is short, so that its spectrum is smooth: 8 bins of 45,000 are 3 Hz, and it changes over 20.
    """
    fold = fold_of(length)
    exact = squared(rfft(early, length // fold))
    return (exact[:-1] + exact[1:]) * np.float32(0.5) if fold > 1 else exact[:-1]


def early_energy(spectrum: Spectrum, early: FloatArray, length: int) -> float:
    """Energy of a wave with this spectrum after the early part of a response, within 0.01 dB (Parseval)."""
    energies = squared(spectrum[:-1]).reshape(len(early), -1).sum(axis=1)
    return float(energies @ early) * 2 / length


def least_length(signal: Signal, response: Response) -> int:
    """The least FFT length at which what wraps around lies before the chunk, and the chunk is whole."""
    num_samples = len(signal.samples)
    return max(num_samples + response.delay, num_samples - signal.context + len(response.samples) - 1)


def put_in_rooms(
    signals: Sequence[Signal], responses: Sequence[Response], spectra: Sequence[ResponseSpectrum], length: int
) -> list[Signal]:
    """Each signal in its room.

    Args:
        signals: C + N samples each.
        responses: a room for each.
        spectra: the same at the FFT length.
        length: at least `least_length` of each pair.

    Returns:
        N samples each, with the echo of the C before them, at the power of the dry wave; the power of the early part
        as speech_power.
    """
    products = spectra_of([signal.samples for signal in signals], length)
    gains, early = [], []
    for row, signal, response, spectrum in zip(products, signals, responses, spectra, strict=False):
        num_samples = len(signal.samples)
        early_power = early_energy(row, spectrum.early, length) / (num_samples + len(response.early) - 1)
        row *= spectrum.whole
        before, after = signal_power(signal.samples), energy(row, length) / (num_samples + response.num_samples - 1)
        gains.append(np.sqrt(before / after) if after > 0 else 1.0)
        early.append(early_power * gains[-1] ** 2)
    inside = []
    for place, (signal, row) in enumerate(zip(signals, waves_of(products, length), strict=False)):
        start = responses[place].delay
        samples = row[start + signal.context : start + len(signal.samples)] * np.float32(gains[place])
        inside.append(replace(signal, samples=samples, context=0, speech_power=early[place]))
    return inside


class Room(WaveStep):
    """Draws a room for each signal by the weights of rir.list."""

    def __init__(self, options: RoomOptions, material: Material) -> None:
        if not material.rirs:
            raise InputError(
                'augment: the step "room" needs rir.list in the lists directory; make the lists with python3 -m'
                " nnet.make_lists --rir-sets <file>, or take the step out"
            )
        self._material = material
        sums = np.cumsum([rir.weight for rir in material.rirs])
        self._sums = sums / sums[-1]
        self._responses: BoundedCache[Response] = BoundedCache(material.cache_bytes // 4)
        self._spectra: BoundedCache[ResponseSpectrum] = BoundedCache(material.cache_bytes)

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals in their rooms; one whose room is silent stays as it is, with a warning."""
        last = len(self._sums) - 1
        rirs = [min(last, int(np.searchsorted(self._sums, rng.random(), side="right"))) for rng in rngs]
        rooms = {rir: room for rir in set(rirs) if (room := self._response(rir)) is not None}
        inside = [place for place, rir in enumerate(rirs) if rir in rooms]
        changed = list(signals)
        least = [least_length(signals[place], rooms[rirs[place]]) for place in inside]
        for length, group in by_length(common_lengths(least, LONGER)):
            places = [inside[each] for each in group]
            numbers = [rirs[place] for place in places]
            spectra = self._at_length({rir: rooms[rir] for rir in numbers}, length)
            done = put_in_rooms(
                [signals[place] for place in places],
                [rooms[rir] for rir in numbers],
                [spectra[rir] for rir in numbers],
                length,
            )
            for place, signal in zip(places, done, strict=True):
                changed[place] = signal
        return changed

    def _response(self, rir: int) -> Response | None:
        kept = self._responses.get(rir)
        if kept is not None:
            return kept
        entry = self._material.rirs[rir]
        audio = self._material.reader.open(entry.rxfilename, entry.rir_id)
        response = make_response(audio.read(0, audio.num_samples), self._material.sample_rate)
        if response is None:
            self._material.notes.add(f"{entry.rir_id} ({entry.rxfilename}): is silent; speech is left without a room")
            return None
        self._responses.put(rir, response, response.samples.nbytes + response.early.nbytes)
        return response

    def _at_length(self, rooms: dict[int, Response], length: int) -> dict[int, ResponseSpectrum]:
        kept = {rir: self._spectra.get((rir, length)) for rir in rooms}
        found = {rir: spectrum for rir, spectrum in kept.items() if spectrum is not None}
        new = [rir for rir in rooms if rir not in found]
        if new:
            for rir, spectrum in zip(new, response_spectra([rooms[rir] for rir in new], length), strict=True):
                self._spectra.put((rir, length), spectrum, spectrum.whole.nbytes + spectrum.early.nbytes)
                found[rir] = spectrum
        return found
