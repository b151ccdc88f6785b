"""Noise, music and babble.

Levels as in minikaldi/feat/reverberate.py (Kaldi's wav-reverberate): a noise lies so many dB below the power of the
speech (of its early part, after a room), and the sum gets the power that the signal had. Kaldi takes the
power of a whole noise file; here only the samples that are added are read, and the level is theirs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnet.augment import BabbleOptions, MusicOptions, NoiseOptions
from nnet.augment.audio import Audio
from nnet.augment.material import Material, NoisePool
from nnet.augment.signal import FloatArray, Signal, signal_power
from nnet.augment.wave_step import WaveStep


@dataclass(frozen=True)
class Piece:
    """A stretch of noise.

    Attributes:
        samples: float32 (M,).
        start: the first sample of the signal that it is added to.
        snr_db: how far below the speech.
        name: of its noise.
    """

    samples: FloatArray
    start: int
    snr_db: float
    name: str


def mixed(signal: Signal, pieces: Sequence[Piece]) -> tuple[Signal, list[str]]:
    """The signal with the pieces added, at the power that it had; none may reach over its end.

    Returns:
        The sum, and the names of silent pieces, which add nothing.
    """
    silent = []
    before = signal_power(signal.samples)
    speech_power = before if signal.speech_power is None else signal.speech_power
    samples = signal.samples.copy()
    for piece in pieces:
        noise_power = signal_power(piece.samples)
        if noise_power == 0:
            silent.append(piece.name)
            continue
        scale = np.sqrt(10 ** (-piece.snr_db / 10) * speech_power / noise_power)
        samples[piece.start : piece.start + len(piece.samples)] += np.float32(scale) * piece.samples
    after = signal_power(samples)
    gain = float(np.sqrt(before / after)) if after > 0 else 1.0
    samples *= np.float32(gain)
    return replace(signal, samples=samples, speech_power=speech_power * gain**2), silent


def passage_of(audio: Audio, length: int, rng: np.random.Generator) -> FloatArray:
    """`length` samples from a random place; a shorter recording is repeated, from a random place of its own."""
    total = audio.num_samples
    if total >= length:
        offset = int(rng.integers(total - length + 1))
        return audio.read(offset, offset + length)
    return np.resize(np.roll(audio.read(0, total), -int(rng.integers(total))), length)


def draw_level(snrs: Sequence[float], between: bool, rng: np.random.Generator) -> float:
    """One of the levels or, `between`, any from the least to the greatest."""
    if between:
        return float(rng.uniform(min(snrs), max(snrs)))
    return snrs[int(rng.integers(len(snrs)))]


class _Additive(WaveStep):
    """Adds what `_pieces` draws."""

    def __init__(self, options: NoiseOptions | MusicOptions | BabbleOptions, material: Material) -> None:
        self._options, self._material = options, material

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """Each signal with its noises."""
        return [self._noisy(signal, rng) for signal, rng in zip(signals, rngs, strict=True)]

    def _noisy(self, signal: Signal, rng: np.random.Generator) -> Signal:
        noisy, silent = mixed(signal, list(self._pieces(signal, rng)))
        for name in silent:
            self._material.notes.add(f"{name}: a passage of it is silent; if that is drawn, nothing is added")
        return noisy

    @abstractmethod
    def _pieces(self, signal: Signal, rng: np.random.Generator) -> Iterator[Piece]:
        """What is added to a signal."""

    def _background(self, noises: NoisePool, signal: Signal, rng: np.random.Generator, used: set[int]) -> Piece:
        """A noise as long as the signal."""
        number, length = noises.draw(rng, signal.speaker, used), len(signal.samples)
        samples = passage_of(noises.source.open(number, length), length, rng)
        level = draw_level(self._options.snrs, self._options.between, rng)
        return Piece(samples, 0, level, noises.source.name(number))


class NoiseStep(_Additive):
    """Noises of noise.list, one after the other or one all along."""

    def __init__(self, options: NoiseOptions, material: Material) -> None:
        super().__init__(options, material)
        self._noise, self._noises = options, material.need("noise", "noise")

    def _pieces(self, signal: Signal, rng: np.random.Generator) -> Iterator[Piece]:
        if self._noise.placement == "background":
            yield self._background(self._noises, signal, rng, set())
            return
        length = len(signal.samples)
        gap = int(self._noise.interval * self._material.sample_rate)
        place: int | None = None
        while place is None or place < length:
            number = self._noises.draw(rng, signal.speaker, set())
            audio = self._noises.source.open(number, length)
            level = draw_level(self._noise.snrs, self._noise.between, rng)
            if place is None:  # the chunk begins anywhere in the row of noises and pauses
                place = -int(rng.integers(audio.num_samples + gap))
            start, stop = max(0, -place), min(audio.num_samples, length - place)
            if start < stop:
                yield Piece(audio.read(start, stop), place + start, level, self._noises.source.name(number))
            place += audio.num_samples + gap


class Music(_Additive):
    """A piece of music.list, all along."""

    def __init__(self, options: MusicOptions, material: Material) -> None:
        super().__init__(options, material)
        self._noises = material.need("music", "music")

    def _pieces(self, signal: Signal, rng: np.random.Generator) -> Iterator[Piece]:
        yield self._background(self._noises, signal, rng, set())


class Babble(_Additive):
    """Voices of speech.list or of other training speakers, each all along, of different speakers while there are."""

    def __init__(self, options: BabbleOptions, material: Material) -> None:
        super().__init__(options, material)
        self._least, self._most = options.voices
        self._voices = material.need("speech", "babble")
        others = len(set(self._voices.speakers.tolist())) - 1
        if others < self._most:
            material.notes.add(
                f"augment: babble of up to {self._most} voices, and {self._voices.what} has {others} speakers besides"
                " the utterance's own: some are used more than once in a chunk"
            )

    def _pieces(self, signal: Signal, rng: np.random.Generator) -> Iterator[Piece]:
        used: set[int] = set()
        for _ in range(int(rng.integers(self._least, self._most + 1))):
            yield self._background(self._voices, signal, rng, used)
