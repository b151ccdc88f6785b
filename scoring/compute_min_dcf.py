#!/usr/bin/env python3
"""The command line of Kaldi's sid/compute_min_dcf.py: minDCF with four decimals on stdout, its threshold on stderr.

Equal scores are separated by their order in the score file, as there; `scoring.metrics.min_dcf` does not, and the two
can differ in the last decimals if many scores are equal. Unlike the source, a trial without a score is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the checkout is one folder up
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np

from common.errors import InputError
from common.program import Parser, run_program
from common.trial_forms import EITHER_FORM
from scoring.metrics import SortedTrials, min_dcf_of_rates
from scoring.pairs import places_in
from scoring.trials import align, read_scores, read_trials


def main(argv: Sequence[str] | None = None) -> int:
    """Print minDCF of a score file."""
    parser = Parser(
        description="Minimum of c-miss * FNR * p-target + c-fa * FPR * (1 - p-target) over all thresholds, normalised."
    )
    parser.add_argument("--p-target", type=float, default=0.01, help="prior of a target (default %(default)s)")
    parser.add_argument("--c-miss", type=float, default=1.0, help="cost of a rejected target (default %(default)s)")
    parser.add_argument("--c-fa", type=float, default=1.0, help="cost of an accepted nontarget (default %(default)s)")
    parser.add_argument("scores_filename", help="lines `enroll test score`")
    parser.add_argument("trials_filename", help=f"lines {EITHER_FORM}")
    args = parser.parse_args(argv)
    trials = read_trials(args.trials_filename)
    scores = read_scores(args.scores_filename)
    align(scores, trials, args.scores_filename)  # raises for trials without a score
    places = places_in(trials.pairs, scores.pairs)
    extra = np.flatnonzero(places < 0)
    if len(extra):
        first = " ".join(scores.pairs[int(extra[0])])
        raise InputError(f"{args.scores_filename}: {len(extra)} scores belong to no trial (first: `{first}`)")
    rates = SortedTrials(scores.values, trials.is_target[places], split_ties=True).rates()
    value, threshold = min_dcf_of_rates(rates, args.p_target, args.c_miss, args.c_fa)
    print(f"{value:.4f}")
    settings = f"p-target={args.p_target}, c-miss={args.c_miss},c-fa={args.c_fa}"
    print(f"minDCF is {value:.4f} at threshold {threshold:.4f} ({settings})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_program(main)
