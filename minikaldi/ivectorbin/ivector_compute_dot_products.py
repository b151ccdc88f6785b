"""ivector-compute-dot-products: inner products of the pairs of a trial list."""

from __future__ import annotations

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.ivector.vectors import paired_products
from minikaldi.ivectorbin.trial_scores import log_mean, read_table, read_trial_rows, write_trial_scores
from minikaldi.options import NoOptions


@command(
    "ivector-compute-dot-products",
    usage="[options] <trials-in> <ivector1-rspecifier> <ivector2-rspecifier> <scores-out>",
    num_args=(4, 4),
    about="Compute dot products between vectors, for lines `key1 key2` of a trial list.",
)
def main(run: Run, options: NoOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-compute-dot-products.cc; here both tables are read whole before the trials."""
    first, second = read_table(run, args[1], "first"), read_table(run, args[2], "second")
    if first.vectors.shape[1] != second.vectors.shape[1]:
        raise KaldiError(
            f"{args[1]} has {first.vectors.shape[1]} dimensions, {args[2]} {second.vectors.shape[1]}; "
            "expected vectors of the same kind"
        )
    trials = read_trial_rows(
        run, args[0], first.row, second.row, "1st table of ivectors", "2nd table of ivectors"
    )
    products = paired_products(
        first.vectors.astype("float64"), second.vectors.astype("float64"), trials.left, trials.right
    )
    write_trial_scores(run, args[3], trials, products)
    log_mean(run, "dot-product", products)
    run.log(f"Processed {len(products)} trials {trials.num_err} had errors.")
    return 0 if len(products) else 1
