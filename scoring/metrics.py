"""EER and minDCF of scored trials, from one sort of the scores.

    python3 -m scoring.metrics <scores> <trials>

A trial is accepted if its score is above the threshold. The thresholds are minus infinity (everything is accepted) and
each distinct score. Trials with equal scores are accepted or rejected together, so no result depends on the order of
the trials. FNR is the share of targets rejected, FPR the share of nontargets accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from common.trial_forms import EITHER_FORM
from minikaldi.ivector.equal_error_rate import kaldi_eer
from scoring.trials import align, read_scores, read_trials

Scores = NDArray[np.floating]
Labels = NDArray[np.bool_]
Rates = NDArray[np.float64]

P_TARGETS = (0.01, 0.001, 0.05)
EER_DEFINITION = (
    "EER: the error rate at the threshold where as large a share of targets is rejected as of nontargets accepted, "
    "interpolated linearly between the two operating points around the crossing."
)
HULL_EER_DEFINITION = (
    "Convex-hull EER: the error rate where FNR = FPR on the lower convex hull of the operating points, which decisions "
    "at random between two thresholds reach."
)
MIN_DCF_DEFINITION = (
    "minDCF(p): the least of c_miss · FNR · p + c_fa · FPR · (1 − p) over all thresholds, c_miss = c_fa = 1, divided "
    "by the cost of the better of accepting and rejecting everything, min(c_miss · p, c_fa · (1 − p))."
)


class ErrorRates(NamedTuple):
    """Operating points by rising threshold.

    Attributes:
        thresholds: float64 (K,), the first is −inf.
        fnr: float64 (K,), from 0 up.
        fpr: float64 (K,), from 1 down.
    """

    thresholds: Rates
    fnr: Rates
    fpr: Rates


class SortedTrials:
    """Scores sorted once, for error rates under many weightings of the trials.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).
        split_ties: put a threshold between equal scores too, in the order of the trials. Only for figures that must
            equal those of a tool that does so: they depend on the order of the trials.

    Attributes:
        order: int (N,), number of the trial at each place.
        is_target: bool (N,), in sorted order.
        group_ends: int (K − 1,), the last place of each group of equal scores.
        thresholds: float64 (K,), −inf and the score of each group.

    Raises:
        InputError: shapes differ, a score is NaN, or there are no targets or no nontargets.
    """

    def __init__(self, scores: Scores, is_target: Labels, split_ties: bool = False) -> None:
        values, labels = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
        if values.shape != labels.shape or values.ndim != 1:
            raise InputError(f"scores have shape {values.shape}, labels {labels.shape}; expected both to be (N,)")
        if np.isnan(values).any():
            raise InputError(f"score number {int(np.argmax(np.isnan(values))) + 1} of {len(values)} is NaN")
        _require_both(float(labels.sum()), float((~labels).sum()))
        self.order = np.argsort(values, kind="stable" if split_ties else None)  # stable: three times as long
        ordered = values[self.order]
        self.is_target = labels[self.order]
        self.group_ends = np.flatnonzero(np.append((ordered[1:] != ordered[:-1]) | split_ties, True))
        self.thresholds = np.concatenate([[-np.inf], ordered[self.group_ends]])

    def rates(self, weights: NDArray[np.floating] | None = None) -> ErrorRates:
        """Error rates at every threshold.

        Args:
            weights: (N,) not negative, in *sorted* order (`weights_by_trial[sorted_trials.order]`); None: all are 1.

        Raises:
            InputError: the weights of all targets, or of all nontargets, are 0.
        """
        if weights is None:
            rejected_targets = np.cumsum(self.is_target)[self.group_ends]
            rejected_nontargets = self.group_ends + 1 - rejected_targets
        else:
            target = np.where(self.is_target, weights, 0.0)
            rejected_targets = np.cumsum(target)[self.group_ends]
            rejected_nontargets = np.cumsum(weights - target)[self.group_ends]
        _require_both(rejected_targets[-1], rejected_nontargets[-1])
        fnr = np.concatenate([[0.0], rejected_targets / rejected_targets[-1]])
        fpr = np.concatenate([[1.0], 1.0 - rejected_nontargets / rejected_nontargets[-1]])
        return ErrorRates(self.thresholds, fnr, fpr)


def _require_both(targets: float, nontargets: float) -> None:
    if targets == 0.0 or nontargets == 0.0:
        what = "target" if targets == 0.0 else "nontarget"
        raise InputError(f"there are no {what} trials; error rates need targets and nontargets")


def eer_of_rates(rates: ErrorRates) -> float:
    """The error rate where FNR = FPR on the line through the operating points, as a share."""
    gap = rates.fnr - rates.fpr  # rises from −1 to 1
    after = int(np.argmax(gap >= 0.0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(rates.fnr[before] + share * (rates.fnr[after] - rates.fnr[before]))


def hull_eer_of_rates(rates: ErrorRates) -> float:
    """The error rate where FNR = FPR on the lower convex hull of the operating points, as a share.

    The edge of the hull that crosses FNR = FPR is found from the line between the two trivial points. As long as a
    point lies below the line, the lowest one replaces the end on its side of the crossing.

    Source: N. Brümmer and E. de Villiers, "The BOSARIS Toolkit: Theory, Algorithms and Code for Surviving the New DCF",
    2013: the ROC convex hull.
    """
    first, last = 0, len(rates.fnr) - 1  # below and above the crossing
    while True:
        fnr, fpr = rates.fnr[first : last + 1], rates.fpr[first : last + 1]
        rise, fall = fnr[-1] - fnr[0], fpr[0] - fpr[-1]
        below = rise * (fpr - fpr[0]) + fall * (fnr - fnr[0])  # 0 at both ends, negative under the line
        lowest = int(np.argmin(below))
        if below[lowest] >= 0.0 or lowest in (0, len(below) - 1):
            share = (fpr[0] - fnr[0]) / (rise + fall)
            return float(fnr[0] + share * rise)
        if fnr[lowest] < fpr[lowest]:
            first += lowest
        else:
            last = first + lowest


def detection_cost(fnr: Rates, fpr: Rates, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> Rates:
    """Detection cost c_miss · FNR · p + c_fa · FPR · (1 − p) at operating points, not normalised.

    Args:
        fnr: of each point.
        fpr: of each point, of the same shape.
        p_target: prior probability p of a target, between 0 and 1.
        c_miss: cost of a rejected target.
        c_fa: cost of an accepted nontarget.

    Raises:
        InputError: `p_target` is not between 0 and 1, or a cost is not positive.
    """
    if not 0.0 < p_target < 1.0 or not 0.0 < c_miss < np.inf or not 0.0 < c_fa < np.inf:
        raise InputError(f"p_target={p_target}, c_miss={c_miss}, c_fa={c_fa}: expected 0 < p_target < 1, costs above 0")
    return c_miss * p_target * fnr + c_fa * (1.0 - p_target) * fpr


def constant_cost(p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Cost of the better of accepting and rejecting everything, by which minDCF is divided."""
    return min(c_miss * p_target, c_fa * (1.0 - p_target))


def min_dcf_of_rates(rates: ErrorRates, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> tuple[float, float]:
    """Normalised minimum detection cost and the lowest threshold that reaches it.

    Arguments and errors are those of `detection_cost`.
    """
    cost = detection_cost(rates.fnr, rates.fpr, p_target, c_miss, c_fa)
    best = int(np.argmin(cost))
    return float(cost[best] / constant_cost(p_target, c_miss, c_fa)), float(rates.thresholds[best])


def eer(scores: Scores, is_target: Labels) -> float:
    """Equal error rate as a share, `EER_DEFINITION`.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).

    Raises:
        InputError: no targets, no nontargets, or a NaN.

    Source: the ROC of the finite sample, joined by straight lines. `eer_by_kaldi` is the other convention.
    """
    return eer_of_rates(SortedTrials(scores, is_target).rates())


def hull_eer(scores: Scores, is_target: Labels) -> float:
    """Equal error rate on the convex hull of the ROC as a share, `HULL_EER_DEFINITION`; at most `eer`.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).

    Raises:
        InputError: no targets, no nontargets, or a NaN.
    """
    return hull_eer_of_rates(SortedTrials(scores, is_target).rates())


def eer_by_kaldi(scores: Scores, is_target: Labels) -> float:
    """EER as a share by the convention of Kaldi's compute-eer: a multiple of one over the number of targets.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).

    Raises:
        InputError: no targets, no nontargets, or a NaN.
    """
    values, labels = np.asarray(scores), np.asarray(is_target, dtype=bool)
    return kaldi_eer(values[labels], values[~labels])[0]


def min_dcf(scores: Scores, is_target: Labels, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Normalised minimum detection cost, `MIN_DCF_DEFINITION`; at most 1.

    Args:
        scores: (N,), higher for the same speaker.
        is_target: bool (N,).
        p_target: prior probability of a target, between 0 and 1.
        c_miss: cost of a rejected target.
        c_fa: cost of an accepted nontarget.

    Raises:
        InputError: no targets, no nontargets, a NaN, or a prior or cost out of range.

    Source: NIST SRE 2016 evaluation plan, section 3; Kaldi's sid/compute_min_dcf.py, which leaves out "accept
    everything" (that point can win only where c_miss · p > c_fa · (1 − p)) and splits ties in the order of the file.
    """
    return min_dcf_of_rates(SortedTrials(scores, is_target).rates(), p_target, c_miss, c_fa)[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Print EER by each definition and minDCF of a score file."""
    parser = Parser(prog="python3 -m scoring.metrics", description="EER and minDCF of a score file.")
    parser.add_argument("scores", help="lines `enroll test score`")
    parser.add_argument("trials", help=f"lines {EITHER_FORM}")
    parser.add_argument("--p-target", type=float, action="append", help=f"prior, repeatable; default {P_TARGETS}")
    parser.add_argument("--c-miss", type=float, default=1.0, help="cost of a rejected target (default %(default)s)")
    parser.add_argument("--c-fa", type=float, default=1.0, help="cost of an accepted nontarget (default %(default)s)")
    args = parser.parse_args(argv)
    trials = read_trials(args.trials)
    values = align(read_scores(args.scores), trials, args.scores)
    rates = SortedTrials(values, trials.is_target).rates()
    print(f"EER {100 * eer_of_rates(rates):.3f} %")
    print(f"EER (Kaldi's compute-eer) {100 * eer_by_kaldi(values, trials.is_target):.3f} %")
    print(f"EER (convex hull) {100 * hull_eer_of_rates(rates):.3f} %")
    for p_target in args.p_target or P_TARGETS:
        print(f"minDCF({p_target:g}) {min_dcf_of_rates(rates, p_target, args.c_miss, args.c_fa)[0]:.4f}")
    print(f"trials {len(trials)}: {trials.num_targets} targets, {trials.num_nontargets} nontargets")
    return 0


if __name__ == "__main__":
    run_program(main)
