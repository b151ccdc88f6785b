"""EER of parts of the trials: by duration, by gender, by speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from scoring.bootstrap import Interval, summarize
from scoring.metrics import SortedTrials, eer_of_rates
from scoring.pages.set_facts import GENDERS, SetFacts

NUM_DURATIONS = 4
LEAST_TARGETS = 10  # of a group; an EER of fewer says nothing


@dataclass(frozen=True)
class TrialGroup:
    """Some of the trials.

    Attributes:
        label: what they have in common.
        mask: bool (N,).
        targets: how many are targets.
        nontargets: how many are nontargets.
    """

    label: str
    mask: NDArray[np.bool_]
    targets: int
    nontargets: int


def _group(label: str, mask: NDArray[np.bool_], is_target: NDArray[np.bool_]) -> TrialGroup:
    targets = int((mask & is_target).sum())
    return TrialGroup(label, mask, targets, int(mask.sum()) - targets)


def duration_groups(facts: SetFacts) -> list[TrialGroup]:
    """Trials by the duration of their shorter side: groups between its quartiles; none if durations are not known."""
    seconds = facts.shorter_side()
    if seconds is None:
        return []
    edges = np.unique(np.quantile(seconds, np.linspace(0.0, 1.0, NUM_DURATIONS + 1)))
    if len(edges) < 2:
        return [_group(f"{edges[0]:.1f} s", np.ones(len(seconds), dtype=bool), facts.trials.is_target)]
    number = np.searchsorted(edges[1:-1], seconds, side="right")  # (N,) in 0 … len(edges) - 2
    return [
        _group(f"{low:.1f}–{high:.1f} s", number == index, facts.trials.is_target)
        for index, (low, high) in enumerate(pairwise(edges))
    ]


def gender_groups(facts: SetFacts) -> list[TrialGroup]:
    """Trials within each gender, and between speakers of different genders together with all targets."""
    if not facts.gender:
        return []
    of_number = np.array([facts.gender.get(speaker, "") for speaker in facts.speaker_names])
    enroll, test = of_number[facts.enroll], of_number[facts.test]
    is_target = facts.trials.is_target
    groups = [_group(name, (enroll == key) & (test == key), is_target) for key, name in GENDERS.items()]
    known = (enroll != "") & (test != "")
    groups.append(_group("same gender", known & (enroll == test), is_target))
    groups.append(_group("different genders", known & (is_target | (enroll != test)), is_target))
    return [group for group in groups if group.mask.any()]


def group_eer(
    scores: NDArray[np.float64], facts: SetFacts, group: TrialGroup, num_resamples: int, seed: int
) -> Interval | None:
    """EER of a group with its interval, as shares; None if it has few targets, no nontargets, or too few speakers.

    Args:
        scores: (N,).
        facts: of the test set.
        group: some of its trials.
        num_resamples: resamples of the speakers.
        seed: of the resamples.
    """
    if group.targets < LEAST_TARGETS or not group.nontargets:
        return None
    chosen = group.mask
    parts = (scores[chosen], facts.trials.is_target[chosen], facts.enroll[chosen], facts.test[chosen])
    try:
        return summarize(*parts, (), num_resamples, seed).eer
    except InputError:
        return None


def speaker_eers(scores: NDArray[np.float64], facts: SetFacts) -> dict[str, float]:
    """Speaker -> EER of its targets against the nontargets with it on either side; those with both kinds only.

    Args:
        scores: (N,).
        facts: of the test set.
    """
    is_target = facts.trials.is_target
    found = {}
    for number, speaker in enumerate(facts.speaker_names):
        own = (facts.enroll == number) | (facts.test == number)
        labels = is_target[own]
        if labels.any() and not labels.all():
            found[speaker] = eer_of_rates(SortedTrials(scores[own], labels).rates())
    return found


def worst_speakers(by_system: Sequence[dict[str, float]], count: int) -> list[str]:
    """The speakers with the highest mean EER over the systems, worst first; equal ones by name."""
    speakers = {speaker for system in by_system for speaker in system}
    means = {
        speaker: float(np.mean([system[speaker] for system in by_system if speaker in system])) for speaker in speakers
    }
    return sorted(means, key=lambda speaker: (-means[speaker], speaker))[:count]
