"""Confidence intervals of EER and minDCF by resampling speakers.

Trials that share a speaker are not independent, so resampling trials gives intervals that are far too narrow. Here the
speakers are drawn with replacement, as many as there are. With m(s), how often speaker s was drawn, a nontarget trial
of speakers a and b counts m(a) · m(b) times, and a target trial of speaker s counts m(s) times. The 95 % interval is
from the 2.5 to the 97.5 percentile over the resamples.

The scores are sorted once; `scoring.resampling` says how the figures of a resample are found without weighing every
trial.

Source: A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007, for weights that are products
over crossed factors; B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13, for the
percentiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.progress import with_progress
from scoring.metrics import P_TARGETS, Labels, Scores, SortedTrials, eer_of_rates, min_dcf_of_rates
from scoring.resampling import ResampledTrials
from scoring.trials import Trials

SpeakerNumbers = NDArray[np.intp]

MAX_DRAWS_PER_RESAMPLE = 1000
RESAMPLES_AT_ONCE = 250
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Interval:
    """A figure with its interval.

    Attributes:
        value: the figure on all trials.
        low: 2.5 percentile of the resamples.
        high: 97.5 percentile of the resamples.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """EER and minDCF, each with its interval.

    Attributes:
        eer: as a share.
        min_dcf: prior of a target -> normalised cost.
    """

    eer: Interval
    min_dcf: dict[float, Interval]


class Figures(NamedTuple):
    """EER, and minDCF for each prior, on all trials and on resamples of the speakers.

    Attributes:
        values: float64 (1 + P,), of all trials; the first is EER as a share.
        resampled: float64 (R, 1 + P), of each resample.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]


def trial_speakers(trials: Trials, utt2spk: Mapping[str, str]) -> tuple[SpeakerNumbers, SpeakerNumbers]:
    """Numbers of the enrolled and of the test speaker of every trial, both int (N,).

    Args:
        trials: pairs of utterance ids; an enrolment id may also be a speaker id.
        utt2spk: speaker of each utterance.

    Raises:
        InputError: an id is unknown, or the speakers contradict the label of a trial.
    """
    number = {speaker: index for index, speaker in enumerate(sorted(set(utt2spk.values())))}
    pairs = trials.pairs
    speakers = [utt2spk.get(trial_id, trial_id) for trial_id in pairs.ids]
    numbers = np.array([number.get(speaker, -1) for speaker in speakers], dtype=np.intp)
    enroll, test = numbers[pairs.enroll], numbers[pairs.test]
    for sides, of_side in ((pairs.enroll, enroll), (pairs.test, test)):
        if (of_side < 0).any():
            unknown = pairs.ids[sides[int(np.argmax(of_side < 0))]]
            raise InputError(f"trial id {unknown!r} is neither an utterance nor a speaker of utt2spk")
    wrong = np.flatnonzero((enroll == test) != trials.is_target)
    if wrong.size:
        pair, label = pairs[int(wrong[0])], "target" if trials.is_target[wrong[0]] else "nontarget"
        raise InputError(
            f"utt2spk contradicts the label of {wrong.size} trials (first: `{pair[0]} {pair[1]} {label}`); "
            "one of the two lists is not of these data"
        )
    return enroll, test


def summarize(
    scores: Scores,
    is_target: Labels,
    enroll_speaker: SpeakerNumbers,
    test_speaker: SpeakerNumbers,
    p_targets: Sequence[float] = P_TARGETS,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Summary:
    """EER and minDCF with 95 % intervals.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).
        enroll_speaker: int (N,), from `trial_speakers`.
        test_speaker: int (N,), from `trial_speakers`.
        p_targets: priors of minDCF.
        num_resamples: resamples of the speakers.
        seed: random seed of the draws. The draws depend on it and the speakers alone, so the intervals of two systems
            on the same trials use the same resamples.

    Raises:
        InputError: no targets, no nontargets, a NaN, fewer than two speakers.
    """
    found = resampled_figures(scores, is_target, enroll_speaker, test_speaker, p_targets, num_resamples, seed)
    low, high = np.percentile(found.resampled, PERCENTILES, axis=0)
    intervals = [Interval(*map(float, figure)) for figure in zip(found.values, low, high, strict=True)]
    return Summary(intervals[0], dict(zip(p_targets, intervals[1:], strict=True)))


def resampled_figures(
    scores: Scores,
    is_target: Labels,
    enroll_speaker: SpeakerNumbers,
    test_speaker: SpeakerNumbers,
    p_targets: Sequence[float] = P_TARGETS,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Figures:
    """EER and minDCF of all trials and of every resample. Arguments and errors are those of `summarize`."""
    ordered = SortedTrials(scores, is_target)
    numbers, num_speakers = _numbered_from_0(enroll_speaker, test_speaker)
    trials = ResampledTrials(ordered, *numbers, num_speakers, p_targets)
    found = islice(_figures_of_resamples(trials, num_speakers, num_resamples, seed), num_resamples)
    resampled = np.array(list(with_progress(found, num_resamples, "intervals", "resamples")))
    rates = ordered.rates()
    values = [eer_of_rates(rates), *(min_dcf_of_rates(rates, p_target)[0] for p_target in p_targets)]
    return Figures(np.array(values), resampled)


def _numbered_from_0(
    enroll_speaker: SpeakerNumbers, test_speaker: SpeakerNumbers
) -> tuple[tuple[SpeakerNumbers, SpeakerNumbers], int]:
    """Both sides with the speakers that occur numbered from 0, in the same order, and how many these are."""
    if min(enroll_speaker.min(), test_speaker.min()) < 0:
        raise InputError("a speaker has a negative number; expected numbers from `trial_speakers`")
    occurs = np.zeros(1 + max(enroll_speaker.max(), test_speaker.max()), dtype=bool)
    occurs[enroll_speaker] = occurs[test_speaker] = True
    number = np.cumsum(occurs) - 1
    if number[-1] < 1:
        raise InputError("the trials have fewer than two speakers; there is nothing to resample")
    return (number[enroll_speaker], number[test_speaker]), int(number[-1]) + 1


def _figures_of_resamples(
    trials: ResampledTrials, num_speakers: int, num_resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """The figures (1 + P,) of one resample of the speakers after another, without end."""
    rng = np.random.default_rng(seed)
    failures = 0
    at_once = min(num_resamples, RESAMPLES_AT_ONCE)
    while True:
        draws = (rng.integers(num_speakers, size=num_speakers) for _ in range(at_once))
        for figures in trials.figures(np.array([np.bincount(drawn, minlength=num_speakers) for drawn in draws])):
            if not np.isnan(figures[0]):
                failures = 0
                yield figures
                continue
            failures += 1  # of few speakers a draw can have no target or no nontarget; it is repeated
            if failures == MAX_DRAWS_PER_RESAMPLE:
                many = "resampled speakers hardly ever share a trial"
                raise InputError(f"{many}; the list has too few speakers for an interval")
