"""The trials that a system decides most wrongly: targets with the lowest scores, nontargets with the highest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.pages.audio_links import AudioLink, AudioLinks
from scoring.pages.set_facts import SetFacts

NUM_WORST = 20
MOST_UTTERANCES = 3  # of an enrolled model that get a link


@dataclass(frozen=True)
class WorstTrial:
    """A trial with its score.

    Attributes:
        enroll_id: the enrolled utterance or model.
        test_id: the test utterance.
        enroll_speaker: its speaker.
        test_speaker: its speaker.
        score: of the system.
        enroll_audio: links of the enrolled utterances, at most MOST_UTTERANCES.
        enroll_more: how many more utterances the model has.
        test_audio: link of the test utterance.
    """

    enroll_id: str
    test_id: str
    enroll_speaker: str
    test_speaker: str
    score: float
    enroll_audio: tuple[AudioLink, ...]
    enroll_more: int
    test_audio: AudioLink


def worst_trials(
    scores: NDArray[np.float64], facts: SetFacts, links: AudioLinks, count: int = NUM_WORST
) -> tuple[list[WorstTrial], list[WorstTrial]]:
    """Misses and false alarms, worst first; equal scores in the order of the trial list.

    Args:
        scores: (N,).
        facts: of the test set.
        links: to its audio.
        count: of each kind.
    """
    is_target = facts.trials.is_target
    targets, nontargets = np.flatnonzero(is_target), np.flatnonzero(~is_target)
    misses = targets[np.argsort(scores[targets], kind="stable")[:count]]
    false_alarms = nontargets[np.argsort(-scores[nontargets], kind="stable")[:count]]
    misses_and_alarms = (misses, false_alarms)
    first, second = ([_trial(int(number), scores, facts, links) for number in kind] for kind in misses_and_alarms)
    return first, second


def _trial(number: int, scores: NDArray[np.float64], facts: SetFacts, links: AudioLinks) -> WorstTrial:
    enroll_id, test_id = facts.trials.pairs[number]
    utterances = facts.utterances(enroll_id)
    return WorstTrial(
        enroll_id,
        test_id,
        facts.speaker_names[facts.enroll[number]],
        facts.speaker_names[facts.test[number]],
        float(scores[number]),
        tuple(map(links.of, utterances[:MOST_UTTERANCES])),
        max(0, len(utterances) - MOST_UTTERANCES),
        links.of(test_id),
    )
