"""Is a system better than another on the same trials, or only on these speakers?

A paired bootstrap: the speakers are resampled as in `scoring.bootstrap`, with the same resamples for every system, and
the difference of two systems is taken in each resample. What makes a draw of speakers hard is so taken out, since it is
hard for both.

Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 16; M. Bisani and H. Ney,
"Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004, for pairs of systems on the
same resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from scoring.bootstrap import PERCENTILES, Figures, SpeakerNumbers, resampled_figures
from scoring.metrics import P_TARGETS, Labels, Scores


@dataclass(frozen=True)
class Difference:
    """The figure of one system minus that of another on the same trials.

    Attributes:
        value: on all trials; below 0, the first system is better.
        low: 2.5 percentile of the differences in the resamples.
        high: 97.5 percentile.
        p_value: two-sided, from 0 to 1: `p_value_of` the differences. Of a system and itself 1.
    """

    value: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """The differences of all pairs of S systems, as matrices: row minus column.

    Attributes:
        eer: S rows of S differences of EER, as shares.
        min_dcf: prior of a target -> S rows of S differences of minDCF.
    """

    eer: list[list[Difference]]
    min_dcf: dict[float, list[list[Difference]]]


def compare(
    scores_by_system: Sequence[Scores],
    is_target: Labels,
    enroll_speaker: SpeakerNumbers,
    test_speaker: SpeakerNumbers,
    num_resamples: int = 1000,
    seed: int = 0,
    p_targets: Sequence[float] = P_TARGETS,
) -> Comparison:
    """Compare systems on the same trials and the same resamples of the speakers.

    Args:
        scores_by_system: S arrays of scores (N,), higher for the same speaker.
        is_target: bool (N,).
        enroll_speaker: int (N,), from `scoring.bootstrap.trial_speakers`.
        test_speaker: int (N,), from the same.
        num_resamples: resamples of the speakers.
        seed: random seed of the draws, as of `scoring.bootstrap.summarize`.
        p_targets: priors of minDCF.

    Raises:
        InputError: no system, no resamples, or as for `scoring.bootstrap.summarize`.
    """
    if not len(scores_by_system) or num_resamples < 1:
        found = f"{len(scores_by_system)} systems, {num_resamples} resamples"
        raise InputError(f"found {found}; expected at least one of each to compare")
    found_of = [
        resampled_figures(scores, is_target, enroll_speaker, test_speaker, p_targets, num_resamples, seed)
        for scores in scores_by_system
    ]
    matrices = [_matrix(found_of, figure) for figure in range(1 + len(p_targets))]
    return Comparison(matrices[0], dict(zip(p_targets, matrices[1:], strict=True)))


def p_value_of(differences: NDArray[np.float64]) -> float:
    """How often so large a difference is seen between systems that do not differ: two-sided, at most 1.

    Twice the smaller of the shares of resamples in which the difference is at most 0 and at least 0. One resample is
    counted on each side beforehand, so that R resamples never give less than 2 / (R + 1).

    Args:
        differences: (R,), one for each resample.
    """
    least = min(int((differences <= 0.0).sum()), int((differences >= 0.0).sum()))
    return min(1.0, 2.0 * (least + 1) / (len(differences) + 1))


def _matrix(found_of: Sequence[Figures], figure: int) -> list[list[Difference]]:
    return [[_difference(first, second, figure) for second in found_of] for first in found_of]


def _difference(first: Figures, second: Figures, figure: int) -> Difference:
    differences = first.resampled[:, figure] - second.resampled[:, figure]
    low, high = np.percentile(differences, PERCENTILES)
    value = first.values[figure] - second.values[figure]
    return Difference(float(value), float(low), float(high), p_value_of(differences))
