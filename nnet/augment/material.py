"""What the steps draw from: noises, voices, rooms; and warnings about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from minikaldi.featbin.extract_segments import TO_THE_END
from nnet.augment.audio import Audio, AudioReader
from nnet.augment.signal import FloatArray
from nnet.data.lists import StringTable
from nnet.data.wave_lists import AudioLists, NoiseLine, RirLine

MAX_OVERSHOOT = 0.5  # seconds by which a segment may end after its recording, as extract-segments allows
FEW_TRIES = 20


class Notes:
    """Warnings of a process, each kept once, until they are taken."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._new: list[str] = []

    def add(self, text: str) -> None:
        """Remember a text that was not added before."""
        if text not in self._known:
            self._known.add(text)
            self._new.append(text)

    def take(self) -> tuple[str, ...]:
        """What was added since the last time."""
        new, self._new = tuple(self._new), []
        return new


@dataclass(frozen=True)
class Part:
    """Samples `begin` … `begin` + num_samples - 1 of a recording, as audio."""

    audio: Audio
    begin: int
    num_samples: int

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self.audio.sample_rate

    def read(self, start: int, stop: int) -> FloatArray:
        """See Audio."""
        return self.audio.read(self.begin + start, self.begin + stop)


class UtteranceAudio:
    """The audio of the training utterances, without speed copies.

    Args:
        lists: their recordings and segments.
        utt_ids: N.
        reader: opens the recordings.
    """

    def __init__(self, lists: AudioLists, utt_ids: StringTable, reader: AudioReader) -> None:
        self._lists, self._utt_ids, self._reader = lists, utt_ids, reader

    def name(self, utt: int) -> str:
        """The id."""
        return self._utt_ids[utt]

    def open(self, utt: int, wanted: int) -> Audio:
        """Utterance `utt`, as extract-segments cuts it.

        Raises:
            InputError: it cannot be read, or the segment lies outside of its recording.
        """
        lists, rate = self._lists, self._reader.sample_rate
        name, recording = self._utt_ids[utt], lists.recordings[utt]
        audio = self._reader.open(recording, name, int(lists.channels[utt]), wanted)
        if lists.starts[utt] == 0 and lists.ends[utt] == TO_THE_END:
            return audio
        start, end = float(lists.starts[utt]), float(lists.ends[utt])
        first = int(start * rate + 0.5)
        last = audio.num_samples if end == TO_THE_END else min(int(end * rate + 0.5), audio.num_samples)
        if first >= last or end * rate > audio.num_samples + MAX_OVERSHOOT * rate:
            seconds = audio.num_samples / rate
            raise InputError(
                f"{name}: its segment is {start:g} to {end:g} s of {recording}, which lasts {seconds:g} s; correct"
                " segments"
            )
        return Part(audio, first, last - first)


class Source(Protocol):
    """Opens item `number`, and calls it by name in errors."""

    def open(self, number: int, wanted: int) -> Audio:
        """The audio; about `wanted` samples of it will be read."""

    def name(self, number: int) -> str:
        """What an error calls it."""


class NoiseFiles:
    """The files of noise.list, music.list or speech.list."""

    def __init__(self, entries: Sequence[NoiseLine], reader: AudioReader) -> None:
        self._entries, self._reader = entries, reader

    def name(self, number: int) -> str:
        """The id."""
        return self._entries[number].noise_id

    def open(self, number: int, wanted: int) -> Audio:
        """See Source."""
        entry = self._entries[number]
        return self._reader.open(entry.rxfilename, entry.noise_id, 0, wanted)


@dataclass(frozen=True)
class NoisePool:
    """Noises or voices to draw from.

    Attributes:
        source: opens them.
        speakers: int32 (N,), places in speaker_ids.
        speaker_ids: of all speakers.
        what: for errors.
    """

    source: Source
    speakers: npt.NDArray[np.int32]
    speaker_ids: Sequence[str]
    what: str
    numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", {spk_id: number for number, spk_id in enumerate(self.speaker_ids)})

    def draw(self, rng: np.random.Generator, own: str, used: set[int]) -> int:
        """A noise by another speaker than `own`, and by none of `used` while others are left; it is put into `used`.

        Raises:
            InputError: all are by `own`.
        """
        excluded = self.numbers.get(own, -1)
        for _ in range(FEW_TRIES):  # nearly always enough; it spares a walk over all
            number = int(rng.integers(len(self.speakers)))
            speaker = int(self.speakers[number])
            if speaker != excluded and speaker not in used:
                used.add(speaker)
                return number
        others = np.flatnonzero(self.speakers != excluded)
        if not len(others):
            raise InputError(f"{self.what}: all are by {own}, the speaker they would be added to; give others too")
        fresh = others[~np.isin(self.speakers[others], list(used))]
        number = int(rng.choice(fresh if len(fresh) else others))
        used.add(int(self.speakers[number]))
        return number


@dataclass(frozen=True)
class Material:
    """All that steps draw from, and the memory that they may use.

    Attributes:
        sample_rate: Hz.
        reader: opens the recordings.
        noises: by kind, "noise", "music" or "speech", of the kinds that there are.
        rirs: rooms.
        cache_bytes: for each cache of a step.
        notes: warnings.
    """

    sample_rate: float
    reader: AudioReader
    noises: dict[str, NoisePool]
    rirs: tuple[RirLine, ...]
    cache_bytes: int
    notes: Notes = field(default_factory=Notes)

    def need(self, kind: str, step: str) -> NoisePool:
        """The noises of a kind.

        Raises:
            InputError: the lists have none; says how to make them.
        """
        if kind not in self.noises:
            raise InputError(
                f'augment: the step "{step}" needs {kind}.list in the lists directory; make the lists with python3 -m'
                f" nnet.make_lists --{kind}-dir <data directory>, or take the step out"
            )
        return self.noises[kind]


def noise_sets(lists: AudioLists, reader: AudioReader) -> dict[str, NoisePool]:
    """The noises that the lists name."""
    sets = {}
    for kind, entries in lists.noises.items():
        speaker_ids, speakers = np.unique([entry.spk_id for entry in entries], return_inverse=True)
        files = NoiseFiles(entries, reader)
        sets[kind] = NoisePool(files, speakers.astype(np.int32), speaker_ids.tolist(), f"{kind}.list")
    return sets
