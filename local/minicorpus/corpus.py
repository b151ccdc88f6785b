"""The speech of the mini corpus, synthesised speaker by speaker in parallel, and its trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np

from common.progress import with_progress
from common.whole_files import hidden_folder
from local.minicorpus.config import MiniCorpusConfig, SizeOptions, SplitOptions, TrialOptions
from local.minicorpus.speech import SPLITS, babble_voice, gender, recordings, speaker_id
from local.minicorpus.store import SoundFile, parameter_hash, put_in_place, stored, write_manifest, write_sound

MANIFEST = "speech.json"
TRIALS_STREAM = 100     # random stream; the splits have the streams 0 and 1

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SpeakerJob:
    """What a process needs to make one speaker.

    Attributes:
        config: the configuration.
        split: train or test.
        index: the speaker's number.
        num_utterances: utterances to make.
        voices: .npy file (S, M) of the split's babble voices.
        folder: the files are written below it.
    """

    config: MiniCorpusConfig
    split: str
    index: int
    num_utterances: int
    voices: Path
    folder: Path


def make_speech(
    config: MiniCorpusConfig, size: SizeOptions, folder: Path, num_jobs: int
) -> tuple[list[SoundFile], bool]:
    """Synthesise both splits below `folder` as <split>/<spk>/<utt>.wav, or find them there.

    Returns:
        sounds: the files in the order of their ids.
        found: whether they existed already.
    """
    voice, session = (config.speaker, config.drift), config.session
    hashed = parameter_hash(config.seed, config.sample_rate, size, config.utterance, *voice, session)
    found = stored(folder, MANIFEST, hashed)
    if found is not None:
        return found, True
    (folder / MANIFEST).unlink(missing_ok=True)
    with hidden_folder(folder, "speech") as partial:
        sounds = _make_speakers(config, size, partial, num_jobs)
        put_in_place(partial, folder, SPLITS)
    write_manifest(folder, MANIFEST, hashed, sounds)
    return sounds, False


def _make_speakers(config: MiniCorpusConfig, size: SizeOptions, folder: Path, num_jobs: int) -> list[SoundFile]:
    """Write the recordings of all speakers below `folder`."""
    jobs = [
        SpeakerJob(config, split, index, options.utterances, voices, folder)
        for split in SPLITS
        for options, voices in [_write_voices(config, split, split_options(size, split), folder, num_jobs)]
        for index in range(options.speakers)
    ]
    sounds: list[SoundFile] = []
    for made in with_progress(in_parallel(make_speaker, jobs, num_jobs), len(jobs), "mini corpus", "speakers"):
        sounds += made
    return sounds


def split_options(size: SizeOptions, split: str) -> SplitOptions:
    """The options of `train` or `test`."""
    return size.train if split == "train" else size.test


def _write_voices(
    config: MiniCorpusConfig, split: str, options: SplitOptions, folder: Path, num_jobs: int
) -> tuple[SplitOptions, Path]:
    path = folder / f"{split}_voices.npy"
    jobs = [(config, split, index) for index in range(options.speakers)]
    np.save(path, np.stack(list(in_parallel(_voice, jobs, num_jobs))))      # (S, M)
    return options, path


def _voice(job: tuple[MiniCorpusConfig, str, int]) -> np.ndarray:
    return babble_voice(*job).astype(np.float32)


def make_speaker(job: SpeakerJob) -> list[SoundFile]:
    """Write all recordings of one speaker."""
    spk_id = speaker_id(job.split, job.index)
    voices = np.load(job.voices, mmap_mode="r")
    sounds = []
    for recording in recordings(job.config, job.split, job.index, job.num_utterances, voices):
        path = f"{job.split}/{spk_id}/{recording.utt_id}.wav"
        sound = SoundFile(path, recording.utt_id, spk_id, recording.session_id, len(recording.samples))
        write_sound(job.folder, sound, recording.samples, job.config.sample_rate)
        sounds.append(sound)
    return sounds


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], num_jobs: int) -> Iterator[Result]:
    """Map with several processes, in order; the result does not depend on their number."""
    if num_jobs == 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(num_jobs) as processes:
        yield from processes.map(function, items)


def genders(options: SplitOptions, split: str) -> dict[str, str]:
    """Speaker -> `m` or `f`."""
    return {speaker_id(split, index): gender(index) for index in range(options.speakers)}


def draw_mini_trials(
    sounds: Sequence[SoundFile], spk2gender: dict[str, str], options: TrialOptions, seed: int
) -> list[str]:
    """All target pairs across sessions, and for each of them nontarget pairs of the same and of the other gender.

    Nontarget pairs are drawn without repetition from all pairs of utterances of different speakers; if there are too
    few, all are used.

    Args:
        sounds: the utterances of the test set.
        spk2gender: speaker -> `m` or `f`.
        options: number of nontarget pairs.
        seed: random seed.

    Returns:
        Lines `enroll test target|nontarget`, sorted.
    """
    rng = np.random.default_rng([seed, TRIALS_STREAM])
    targets: list[str] = []
    nontargets: dict[bool, list[str]] = {True: [], False: []}
    for first, second in combinations(sounds, 2):
        pair = f"{first.utt_id} {second.utt_id}"
        if first.spk_id != second.spk_id:
            nontargets[spk2gender[first.spk_id] == spk2gender[second.spk_id]].append(pair)
        elif first.rec_id != second.rec_id:
            targets.append(pair)
    lines = [f"{pair} target" for pair in targets]
    for same_gender, per_target in ((True, options.same_gender), (False, options.cross_gender)):
        pairs = nontargets[same_gender]
        chosen = rng.choice(len(pairs), min(len(pairs), per_target * len(targets)), replace=False)
        lines += [f"{pairs[index]} nontarget" for index in chosen]
    return sorted(lines)
