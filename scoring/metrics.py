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
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        self._is_target = labels[self.order]
        self._group_ends = np.flatnonzero(np.append((ordered[1:] != ordered[:-1]) | split_ties, True))
        self._thresholds = np.concatenate([[-np.inf], ordered[self._group_ends]])

    def rates(self, weights: NDArray[np.floating] | None = None) -> ErrorRates:
        """Error rates at every threshold.

        Args:
            weights: (N,) not negative, in *sorted* order (`weights_by_trial[sorted_trials.order]`); None: all are 1.

        Raises:
            InputError: the weights of all targets, or of all nontargets, are 0.
        """
        target = self._is_target.astype(np.float64) if weights is None else np.where(self._is_target, weights, 0.0)
        nontarget = (~self._is_target).astype(np.float64) if weights is None else weights - target
        rejected_targets = np.cumsum(target)[self._group_ends]
        rejected_nontargets = np.cumsum(nontarget)[self._group_ends]
        _require_both(rejected_targets[-1], rejected_nontargets[-1])
        fnr = np.concatenate([[0.0], rejected_targets / rejected_targets[-1]])
        fpr = np.concatenate([[1.0], 1.0 - rejected_nontargets / rejected_nontargets[-1]])
        return ErrorRates(self._thresholds, fnr, fpr)


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


def min_dcf_of_rates(rates: ErrorRates, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> tuple[float, float]:
    """Normalised minimum detection cost and the lowest threshold that reaches it.

    Args:
        rates: the operating points.
        p_target: prior probability of a target, between 0 and 1.
        c_miss: cost of a rejected target.
        c_fa: cost of an accepted nontarget.

    Raises:
        InputError: `p_target` is not between 0 and 1, or a cost is not positive.
    """
    if not 0.0 < p_target < 1.0 or c_miss <= 0.0 or c_fa <= 0.0:
        raise InputError(f"p_target={p_target}, c_miss={c_miss}, c_fa={c_fa}: expected 0 < p_target < 1, costs above 0")
    cost = c_miss * p_target * rates.fnr + c_fa * (1.0 - p_target) * rates.fpr
    best = int(np.argmin(cost))
    return float(cost[best] / min(c_miss * p_target, c_fa * (1.0 - p_target))), float(rates.thresholds[best])


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
    """Print EER, EER by Kaldi's convention and minDCF of a score file."""
    parser = Parser(prog="python3 -m scoring.metrics", description="EER and minDCF of a score file.")
    parser.add_argument("scores", help="lines `enroll test score`")
    parser.add_argument("trials", help=f"lines {EITHER_FORM}")
    parser.add_argument("--p-target", type=float, action="append", help=f"prior, repeatable; default {P_TARGETS}")
    args = parser.parse_args(argv)
    trials = read_trials(args.trials)
    values = align(read_scores(args.scores), trials, args.scores)
    rates = SortedTrials(values, trials.is_target).rates()
    print(f"EER {100 * eer_of_rates(rates):.3f} %")
    print(f"EER (Kaldi's compute-eer) {100 * eer_by_kaldi(values, trials.is_target):.3f} %")
    for p_target in args.p_target or P_TARGETS:
        print(f"minDCF({p_target:g}) {min_dcf_of_rates(rates, p_target)[0]:.4f}")
    print(f"trials {len(trials)}: {trials.num_targets} targets, {trials.num_nontargets} nontargets")
    return 0


if __name__ == "__main__":
    run_program(main)
