"""Noise, music and rooms for the augmented copies: sound files, data directories, list of impulse responses.

Their random streams differ from those of the speech, so no noise or room of a session is used in augmentation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.whole_files import hidden_folder
from local.data_dir import CorpusUtterance, write_data_dir
from local.minicorpus.channels import draw_channel, linear_phase_filter
from local.minicorpus.config import AugmentationOptions, MiniCorpusConfig
from local.minicorpus.noises import NOISES, music
from local.minicorpus.rooms import room_impulse_response
from local.minicorpus.store import (
    SoundFile,
    as_int16,
    parameter_hash,
    put_in_place,
    stored,
    write_manifest,
    write_sound,
)
from local.rir_lists import ListedRir, write_rir_lists

MANIFEST = "augmentation.json"
NOISE_STREAM, MUSIC_STREAM, ROOM_STREAM = 200, 201, 202


def make_augmentation(config: MiniCorpusConfig, folder: Path) -> tuple[list[SoundFile], bool]:
    """Write noise/, music/ and rooms/ below `folder`, or find them there.

    Returns:
        sounds: the files.
        found: whether they existed already.
    """
    hashed = parameter_hash(config.seed, config.sample_rate, config.augmentation)
    found = stored(folder, MANIFEST, hashed)
    if found is not None:
        return found, True
    (folder / MANIFEST).unlink(missing_ok=True)
    with hidden_folder(folder, "augmentation") as partial:
        sounds = [*_noises(config, partial), *_music(config, partial), *_rooms(config, partial)]
        put_in_place(partial, folder, ("noise", "music", "rooms"))
    write_manifest(folder, MANIFEST, hashed, sounds)
    return sounds, False


def _noises(config: MiniCorpusConfig, folder: Path) -> list[SoundFile]:
    """The kinds take turns, so that small numbers have all of them."""
    options, rate, sounds = config.augmentation, config.sample_rate, []
    kinds = list(NOISES)
    for index in range(options.noises):
        rng = np.random.default_rng([config.seed, NOISE_STREAM, index])
        num_samples = int(rng.uniform(*options.noise_seconds) * rate)
        name = f"noise-{kinds[index % len(kinds)]}-{index:03d}"
        sound = SoundFile(f"noise/{name}.wav", name, name, name, num_samples)
        write_sound(folder, sound, as_int16(NOISES[kinds[index % len(kinds)]](rng, num_samples, rate)), rate)
        sounds.append(sound)
    return sounds


def _music(config: MiniCorpusConfig, folder: Path) -> list[SoundFile]:
    options, rate, sounds = config.augmentation, config.sample_rate, []
    for index in range(options.music):
        rng = np.random.default_rng([config.seed, MUSIC_STREAM, index])
        num_samples = int(rng.uniform(*options.music_seconds) * rate)
        name = f"music-mini-{index:03d}"
        sound = SoundFile(f"music/{name}.wav", name, name, name, num_samples)
        write_sound(folder, sound, as_int16(music(rng, num_samples, rate)), rate)
        sounds.append(sound)
    return sounds


def _rooms(config: MiniCorpusConfig, folder: Path) -> list[SoundFile]:
    """Several responses of each room: with its reverberation time, and different distances, details and devices.

    As in measured responses, the recording device is part of it: a smooth channel, some with a telephone band.
    """
    options, sounds = config.augmentation, []
    for room in range(options.rooms):
        rng = np.random.default_rng([config.seed, ROOM_STREAM, room])
        t60 = rng.uniform(*options.t60)
        for position in range(options.rirs_per_room):
            ratio_db = rng.uniform(*options.direct_to_reverberant_db)
            room_alone = room_impulse_response(rng, t60, ratio_db, config.sample_rate)
            device = linear_phase_filter(draw_channel(rng, options, config.sample_rate))
            response = np.convolve(room_alone, device)
            room_id = f"room{room:03d}"
            name = f"{room_id}-{position:02d}"
            sound = SoundFile(f"rooms/{name}.wav", name, name, room_id, len(response))
            write_sound(folder, sound, as_int16(response), config.sample_rate)
            sounds.append(sound)
    return sounds


def write_augmentation_dirs(sounds: list[SoundFile], folder: Path, data: Path, sample_rate: int) -> None:
    """Write the data directories and lists of the augmentation.

    Args:
        sounds: all files.
        folder: the folder of the files.
        data: gets musan_noise, musan_music, rir_list and rir_sets.
        sample_rate: of the files, in Hz.
    """
    for kind in ("noise", "music"):
        utterances = [
            CorpusUtterance(one.utt_id, one.spk_id, f"{folder}/{one.path}", seconds=one.num_samples / sample_rate)
            for one in sounds
            if one.path.startswith(f"{kind}/")
        ]
        write_data_dir(data / f"musan_{kind}", utterances)
    rooms = [one for one in sounds if one.path.startswith("rooms/")]
    rirs = [ListedRir(one.utt_id, one.rec_id, f"{folder}/{one.path}") for one in rooms]
    write_rir_lists(data / "rir_list", {"mini": rirs})


def count_of(options: AugmentationOptions) -> str:
    """`24 noises, 8 pieces of music, 40 impulse responses of 20 rooms`."""
    rooms = f"{options.rooms * options.rirs_per_room} impulse responses of {options.rooms} rooms"
    return f"{options.noises} noises, {options.music} pieces of music, {rooms}"
