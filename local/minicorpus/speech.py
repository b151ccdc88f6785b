"""The recordings of one speaker. Each random generator depends on (seed, split, speaker, purpose) alone.

So the audio depends neither on the number of jobs nor on the other speakers. The background voices of a session are
always those of other speakers of the same split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from local.minicorpus.config import MiniCorpusConfig
from local.minicorpus.sessions import as_recorded, draw_session
from local.minicorpus.synthesis import synthesise
from local.minicorpus.voices import NO_DRIFT, Speaker, draw_drift, draw_speaker

SPLITS = ("train", "test")
VOICE, BABBLE, RECORDINGS = range(3)
BABBLE_SECONDS = 5.0


@dataclass(frozen=True)
class Recording:
    """One utterance as recorded.

    Attributes:
        utt_id: utterance id.
        session_id: its session.
        samples: int16 (N,).
    """

    utt_id: str
    session_id: str
    samples: np.ndarray


def speaker_id(split: str, index: int) -> str:
    """`train007`; the width is fixed, so that speakers and utterances sort in the same order."""
    return f"{split}{index:03d}"


def gender(index: int) -> str:
    """Half of each split is female."""
    return "f" if index % 2 else "m"


def speaker_generator(config: MiniCorpusConfig, split: str, index: int, purpose: int) -> np.random.Generator:
    """The random stream of one speaker for one purpose."""
    return np.random.default_rng([config.seed, SPLITS.index(split), index, purpose])


def draw_voice(config: MiniCorpusConfig, split: str, index: int) -> Speaker:
    """The speaker of this index."""
    return draw_speaker(speaker_generator(config, split, index, VOICE), gender(index), config.speaker)


def babble_voice(config: MiniCorpusConfig, split: str, index: int) -> np.ndarray:
    """A few clean seconds of the speaker for other speakers' backgrounds: (M,) float64 of unit power."""
    rng = speaker_generator(config, split, index, BABBLE)
    speech = synthesise(rng, draw_voice(config, split, index), NO_DRIFT, BABBLE_SECONDS, config.sample_rate)
    return speech / (speech.std() + 1e-9)


def recordings(
    config: MiniCorpusConfig, split: str, index: int, num_utterances: int, voices: Sequence[np.ndarray]
) -> Iterator[Recording]:
    """The utterances of one speaker.

    Args:
        config: the configuration.
        split: train or test.
        index: the speaker's number.
        num_utterances: utterances to make.
        voices: `babble_voice` of every speaker of the split, in the order of their numbers.
    """
    rng = speaker_generator(config, split, index, RECORDINGS)
    speaker = draw_voice(config, split, index)
    others = [voice for other, voice in enumerate(voices) if other != index]
    for utterance in range(num_utterances):
        if utterance % config.utterance.per_session == 0:
            session = draw_session(rng, config.session, config.sample_rate)
            drift = draw_drift(rng, config.drift)
            session_id = f"{speaker_id(split, index)}-s{utterance // config.utterance.per_session:02d}"
        at_the_time = drift.with_f0(float(np.exp(rng.normal(0, config.drift.f0_utterance))))
        seconds = rng.uniform(*config.utterance.seconds)
        speech = synthesise(rng, speaker, at_the_time, seconds, config.sample_rate)
        samples = as_recorded(rng, speech, session, config.session, others, config.sample_rate)
        yield Recording(f"{session_id}-u{utterance:02d}", session_id, samples)
