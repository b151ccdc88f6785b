#!/usr/bin/env python3
"""The mini corpus: synthetic speech in <audio-dir>, data directories train and test with trials in <data-dir>.

The configuration has every parameter and the random seed. The audio depends on them alone, not on the number of jobs;
files made earlier with the same parameters are used again. Noise, music and rooms for augmentation are made too:
<data-dir>/musan_noise, musan_music, rir_list and rir_sets (lines `weight, list`). --only-augmentation makes only these,
for a corpus of real speech without MUSAN and RIRS_NOISES.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import log_message, positive_int, run_program
from common.whole_files import write_files
from local.data_dir import CorpusUtterance, write_data_dir
from local.minicorpus.augmentation import count_of, make_augmentation, write_augmentation_dirs
from local.minicorpus.config import MiniCorpusConfig, read_config
from local.minicorpus.corpus import draw_mini_trials, genders, make_speech, split_options
from local.minicorpus.speech import SPLITS
from local.minicorpus.store import SoundFile
from local.program import new_parser

DEFAULT_CONFIG = Path(__file__).resolve().parent.parent / "conf" / "mini_corpus.yaml"


def write_speech_dirs(config: MiniCorpusConfig, size: str, sounds: list[SoundFile], audio: Path, data: Path) -> None:
    """Write <data>/train and <data>/test; the test set has trials."""
    for split in SPLITS:
        members = [sound for sound in sounds if sound.path.startswith(f"{split}/")]
        utterances = [
            CorpusUtterance(
                one.utt_id, one.spk_id, f"{audio}/{one.path}", one.rec_id, one.num_samples / config.sample_rate
            )
            for one in members
        ]
        spk2gender = genders(split_options(config.sizes[size], split), split)
        write_data_dir(data / split, utterances, spk2gender)
        if split == "test":
            trials = draw_mini_trials(members, spk2gender, config.trials, config.seed)
            write_files([(str(data / split / "trials"), trials)])
            targets = sum(line.endswith(" target") for line in trials)
            log_message(f"{data / split}/trials: {targets} target, {len(trials) - targets} nontarget")


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_mini_corpus.py."""
    parser = new_parser("make_mini_corpus.py", __doc__)
    parser.add_argument("--conf", type=Path, default=DEFAULT_CONFIG, help="default conf/mini_corpus.yaml")
    parser.add_argument("--size", default="full", help="one of the sizes in the configuration (default %(default)s)")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    parser.add_argument("--nj", type=positive_int, default=os.cpu_count() or 1, help="processes (default %(default)s)")
    parser.add_argument("--only-augmentation", action="store_true", help="no speech: noise, music and rooms")
    parser.add_argument("audio_dir", metavar="audio-dir", type=Path)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    config = read_config(options.conf)
    if options.size not in config.sizes:
        raise InputError(f'--size "{options.size}" is unknown; choose one of: {", ".join(config.sizes)}')
    if options.seed is not None:
        config = dataclasses.replace(config, seed=options.seed)
    made = {True: "found as made before", False: "made"}
    sounds, found = make_augmentation(config, options.audio_dir)
    write_augmentation_dirs(sounds, options.audio_dir, options.data_dir, config.sample_rate)
    log_message(f"{options.audio_dir}: {count_of(config.augmentation)}, {made[found]}")
    if not options.only_augmentation:
        sounds, found = make_speech(config, config.sizes[options.size], options.audio_dir, options.nj)
        write_speech_dirs(config, options.size, sounds, options.audio_dir, options.data_dir)
        hours = sum(sound.num_samples for sound in sounds) / config.sample_rate / 3600
        speakers = len({sound.spk_id for sound in sounds})
        spoken = f"{len(sounds)} utterances of {speakers} speakers, {hours:.2f} h"
        log_message(f"{options.audio_dir}: {spoken}, {made[found]}")


if __name__ == "__main__":
    run_program(main)
