"""A data directory of noises to draw from: its audio, durations and, for babble, its speakers."""

from __future__ import annotations

import random
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from minikaldi.data_dir.directory import read_segments
from minikaldi.data_dir.tables import read_numbers, read_pairs, read_values
from minikaldi.data_dir.wav_lines import without_quotes

FEW_TRIES = 20


def durations(directory: Path) -> dict[str, float]:
    """rec_id -> seconds, from reco2dur, or from utt2dur if utterances are recordings.

    Raises:
        InputError: neither exists; the text names the command that makes it.
    """
    if (directory / "reco2dur").is_file():
        return read_numbers(directory / "reco2dur")
    if (directory / "utt2dur").is_file() and not (directory / "segments").is_file():
        return read_numbers(directory / "utt2dur")
    raise InputError(f"{directory}/reco2dur: no such file; make it: utils/data/get_reco2dur.sh {directory}")


def recording_speakers(directory: Path) -> dict[str, set[str]]:
    """rec_id -> its speakers; empty without utt2spk."""
    path = directory / "utt2spk"
    if not path.is_file():
        return {}
    segments = read_segments(directory) or {}
    speakers: dict[str, set[str]] = {}
    for utt_id, spk_id in read_pairs(path).items():
        recording = segments[utt_id][0] if utt_id in segments else utt_id
        speakers.setdefault(recording, set()).add(spk_id)
    return speakers


@dataclass
class NoiseDirectory:
    """The noises of one directory.

    Attributes:
        directory: the data directory.
        audio: noise_id -> file or pipe.
        seconds: noise_id -> duration.
        speakers: noise_id -> its speakers; a noise may have none.
        ids: the noises, sorted.
    """

    directory: Path
    audio: dict[str, str]
    seconds: dict[str, float]
    speakers: dict[str, set[str]]
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = sorted(self.audio)

    def voices(self) -> set[str]:
        """The different voices; each noise without a speaker is a voice of its own."""
        return {min(self.speakers.get(noise_id) or {noise_id}) for noise_id in self.ids}

    def draw(self, rng: random.Random, excluded: Set[str], used: set[str]) -> str:
        """Draw a noise; returns its id.

        Args:
            rng: the generator of the draws.
            excluded: speakers that the noise must not have.
            used: speakers that it must not have while there are others; those of the noise are added.

        Raises:
            InputError: every noise is by an excluded speaker.
        """
        for _ in range(FEW_TRIES):  # nearly always enough, without a search through all noises
            noise_id = rng.choice(self.ids)
            if self._of(noise_id).isdisjoint(excluded | used):
                break
        else:
            others = [noise_id for noise_id in self.ids if self._of(noise_id).isdisjoint(excluded)]
            if not others:
                raise InputError(
                    f"{self.directory}: every noise is by {' '.join(sorted(excluded))}, the speaker it would be added "
                    "to; give noises by others, or --exclude-same-speaker false"
                )
            fresh = [noise_id for noise_id in others if self._of(noise_id).isdisjoint(used)]
            if not fresh:
                used.clear()
            noise_id = rng.choice(fresh or others)
        used |= self._of(noise_id)
        return noise_id

    def _of(self, noise_id: str) -> set[str]:
        return self.speakers.get(noise_id) or {noise_id}


def read_noises(directory: Path) -> NoiseDirectory:
    """The noises of a data directory with wav.scp and reco2dur.

    Noises whose name a list of signals cannot hold are reported and left out: if the noises are the training speech
    itself, an apostrophe in a name must not end the recipe.

    Raises:
        InputError: there are none, one has no duration, or a list of signals can hold none of them.
    """
    path = directory / "wav.scp"
    if not path.is_file():
        raise InputError(f"{path}: no such file; a noise directory has wav.scp and reco2dur")
    audio = read_values(path)
    if not audio:
        raise InputError(f"{path}: is empty; a noise directory has at least one noise")
    seconds = durations(directory)
    missing = [noise_id for noise_id in audio if noise_id not in seconds]
    if missing:
        raise InputError(
            f'{directory}/reco2dur: has no line for "{missing[0]}" of wav.scp; remove it, and make it again: '
            f"utils/data/get_reco2dur.sh {directory}"
        )
    return NoiseDirectory(directory, _writable(audio, path), seconds, recording_speakers(directory))


def _writable(audio: dict[str, str], path: Path) -> dict[str, str]:
    written: dict[str, str] = {}
    faults: list[str] = []
    for noise_id, rxfilename in audio.items():
        try:
            written[noise_id] = without_quotes(rxfilename, f'{path}: "{noise_id}"')
        except InputError as error:
            faults.append(str(error))
    if not written:
        raise InputError(faults[0])
    if faults:
        log_message(f"{len(faults)} of {len(audio)} noises are left out; the first: {faults[0]}")
    return written
