"""ivector-compute-dot-products: inner products of the pairs of a trial list.

Differs from Kaldi: both tables are read whole before the trials; Kaldi looks their keys up one by one. A vector that
holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

from functools import partial

from common.errors import KaldiError
from minikaldi.command import CommandRun, command
from minikaldi.ivector.vectors import paired_products
from minikaldi.ivectorbin.trial_scores import NamedRows, TrialScoring, read_vector_table
from minikaldi.options import NoOptions


@command(
    "ivector-compute-dot-products",
    usage="[options] <trials-in> <ivector1-rspecifier> <ivector2-rspecifier> <scores-out>",
    num_args=(4, 4),
    about="Compute dot products between vectors, for lines `key1 key2` of a trial list.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-compute-dot-products.cc; here both tables are read whole before the trials."""
    first, second = read_vector_table(run, args[1], "first"), read_vector_table(run, args[2], "second")
    if first.vectors.shape[1] != second.vectors.shape[1]:
        raise KaldiError(
            f"{args[1]} has {first.vectors.shape[1]} dimensions, {args[2]} {second.vectors.shape[1]}; "
            "expected vectors of the same kind"
        )
    left, right = first.vectors.astype("float64"), second.vectors.astype("float64")
    rows = NamedRows.of(first.row, "1st table of ivectors"), NamedRows.of(second.row, "2nd table of ivectors")
    totals = TrialScoring(run, *rows, partial(paired_products, left, right)).score_list(args[0], args[3])
    totals.log_mean(run, "dot-product")
    run.log(f"Processed {totals.num_done} trials {totals.num_err} had errors.")
    return 0 if totals.num_done else 1
