"""Cosine scores of trials.

    python3 -m scoring.cosine [--mean mean.vec] [--transform transform.mat] [--cohort spk_embedding.scp] \\
        <enroll> <test> <trials> <scores>

`<enroll>`, `<test>` and the cohort are rspecifiers or scp files of embeddings.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from common.trial_forms import EITHER_FORM
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object
from minikaldi.ivector.vectors import apply_transform, paired_products
from minikaldi.running import run_pipes_inside
from scoring.embeddings import EmbeddingTable, read_embeddings
from scoring.score_norm import cohort_statistics, normalised
from scoring.trials import Trials, read_trials, write_scores

logger = logging.getLogger(__name__)

COHORT_TOP = 300  # usual on VoxCeleb, with some thousand training speakers

Float64Array = NDArray[np.float64]


def unit_length(
    vectors: NDArray[np.floating],
    mean: NDArray[np.floating] | None = None,
    transform: NDArray[np.floating] | None = None,
) -> Float64Array:
    """Embeddings centred, transformed and scaled to unit length.

    Args:
        vectors: (N, D).
        mean: (D,), subtracted first; None: nothing is.
        transform: (D', D), or affine (D', D + 1), applied next; None: nothing is.

    Returns:
        float64 (N, D'). A vector of length zero stays zero: its cosine with any vector is 0.

    Raises:
        InputError: the mean or the transform has another dimension than the vectors.
    """
    values = np.asarray(vectors, dtype=np.float64)
    if mean is not None:
        if len(mean) != values.shape[1]:
            raise InputError(f"the mean has {len(mean)} dimensions, the embeddings {values.shape[1]}")
        values = values - mean
    if transform is not None:
        values = apply_transform(transform, values)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0.0, norms, 1.0)


def cosine_scores(
    trials: Trials,
    enroll: EmbeddingTable,
    test: EmbeddingTable,
    mean: NDArray[np.floating] | None = None,
    transform: NDArray[np.floating] | None = None,
    cohort: EmbeddingTable | None = None,
    cohort_top: int = COHORT_TOP,
) -> Float64Array:
    """Cosine of the angle between the two embeddings of every trial, after `unit_length`.

    Args:
        trials: the N trials.
        enroll: embeddings of the enrolment ids.
        test: embeddings of the test ids.
        mean: see `unit_length`.
        transform: see `unit_length`.
        cohort: embeddings of other speakers; the scores are then normalised (`scoring.score_norm`).
        cohort_top: how many cohort members count for each side, the nearest ones.

    Returns:
        float64 (N,).

    Raises:
        InputError: a trial has no embedding (the text has the count and the first), or the cohort cannot be used.
    """
    pairs = trials.pairs
    enroll_rows = enroll.rows(pairs.ids, pairs.enroll, "enrolment")
    test_rows = test.rows(pairs.ids, pairs.test, "test")
    left = unit_length(enroll.vectors, mean, transform)
    right = left if test is enroll else unit_length(test.vectors, mean, transform)
    scores = paired_products(left, right, enroll_rows, test_rows)
    if cohort is None:
        return scores
    of_cohort = unit_length(cohort.vectors, mean, transform)
    of_enroll = cohort_statistics(left, of_cohort, cohort_top)
    of_test = of_enroll if right is left else cohort_statistics(right, of_cohort, cohort_top)
    return normalised(scores, of_enroll, of_test, enroll_rows, test_rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the cosine scores of a trial list."""
    run_pipes_inside()
    parser = Parser(prog="python3 -m scoring.cosine", description="Cosine scores of trials.")
    parser.add_argument("--mean", help="vector file to subtract, as ivector-mean writes it")
    parser.add_argument("--transform", help="matrix file to apply next, as ivector-compute-lda writes it")
    parser.add_argument("--cohort", help="embeddings of other speakers, to normalise by: rspecifier or scp file")
    top = f"how many of them count, the nearest ones for each side (default {COHORT_TOP})"
    parser.add_argument("--cohort-top", type=int, default=COHORT_TOP, help=top)
    parser.add_argument("enroll", help="rspecifier or scp file")
    parser.add_argument("test", help="rspecifier or scp file")
    parser.add_argument("trials", help=f"lines {EITHER_FORM}")
    parser.add_argument("scores", help="file to write")
    args = parser.parse_args(argv)
    trials = read_trials(args.trials)
    mean = read_object(args.mean, FLOAT_VECTOR) if args.mean else None
    transform = read_object(args.transform, FLOAT_MATRIX) if args.transform else None
    enroll = read_embeddings(args.enroll)
    test = enroll if args.test == args.enroll else read_embeddings(args.test)
    cohort = read_embeddings(args.cohort) if args.cohort else None
    scores = cosine_scores(trials, enroll, test, mean, transform, cohort, args.cohort_top)
    write_scores(args.scores, trials, scores)
    logger.info("%s: %d trials scored", args.scores, len(trials))
    return 0


if __name__ == "__main__":
    run_program(main)
