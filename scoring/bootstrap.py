"""Confidence intervals of EER and minDCF by resampling speakers.

Trials that share a speaker are not independent, so resampling trials gives intervals that are far too narrow. Here the
speakers are drawn with replacement, as many as there are. With m(s), how often speaker s was drawn, a nontarget trial
of speakers a and b counts m(a) · m(b) times, and a target trial of speaker s counts m(s) times. The 95 % interval is
from the 2.5 to the 97.5 percentile over the resamples.

The scores are sorted once; a resample is a new weighting and two cumulative sums.

Source: A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007, for weights that are products
over crossed factors; B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13, for the
percentiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from scoring.metrics import P_TARGETS, Labels, Scores, SortedTrials, eer_of_rates, min_dcf_of_rates
from scoring.trials import Trials

SpeakerNumbers = NDArray[np.intp]

MAX_DRAWS_PER_RESAMPLE = 1000
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
    speakers = set(utt2spk.values())
    number = {speaker: index for index, speaker in enumerate(sorted(speakers))}

    def number_of(utt_id: str) -> int:
        speaker = utt2spk.get(utt_id, utt_id if utt_id in speakers else None)
        if speaker is None:
            raise InputError(f"trial id {utt_id!r} is neither an utterance nor a speaker of utt2spk")
        return number[speaker]

    enroll = np.array([number_of(enroll_id) for enroll_id, _ in trials.pairs], dtype=np.intp)
    test = np.array([number_of(test_id) for _, test_id in trials.pairs], dtype=np.intp)
    wrong = np.flatnonzero((enroll == test) != trials.is_target)
    if wrong.size:
        pair, label = trials.pairs[wrong[0]], "target" if trials.is_target[wrong[0]] else "nontarget"
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
    resamples = _resampled_weights(ordered.order, is_target, enroll_speaker, test_speaker, seed)
    resampled = np.array([_figures(ordered, next(resamples), p_targets) for _ in range(num_resamples)])
    return Figures(np.array(_figures(ordered, None, p_targets)), resampled)


def _figures(ordered: SortedTrials, weights: NDArray[np.float64] | None, p_targets: Sequence[float]) -> list[float]:
    rates = ordered.rates(weights)
    return [eer_of_rates(rates), *(min_dcf_of_rates(rates, p_target)[0] for p_target in p_targets)]


def _resampled_weights(
    order: NDArray[np.intp],
    is_target: Labels,
    enroll_speaker: SpeakerNumbers,
    test_speaker: SpeakerNumbers,
    seed: int,
) -> Iterator[NDArray[np.float64]]:
    """Weights of the trials for one resample of the speakers after another, without end: (N,) in sorted order."""
    speakers, compact = np.unique(np.concatenate([enroll_speaker, test_speaker]), return_inverse=True)
    if len(speakers) < 2:
        raise InputError("the trials have fewer than two speakers; there is nothing to resample")
    enroll, test = compact[: len(order)][order], compact[len(order) :][order]
    target = is_target[order]
    rng = np.random.default_rng(seed)
    failures = 0
    while failures < MAX_DRAWS_PER_RESAMPLE:
        drawn = rng.integers(len(speakers), size=len(speakers))
        multiplicity = np.bincount(drawn, minlength=len(speakers)).astype(np.float64)
        weights = multiplicity[enroll]
        weights = np.where(target, weights, weights * multiplicity[test])
        if weights[target].any() and weights[~target].any():
            failures = 0
            yield weights
        else:  # of few speakers a draw can have no target or no nontarget; it is repeated
            failures += 1
    raise InputError("resampled speakers hardly ever share a trial; the list has too few speakers for an interval")
