"""Cosine scores of trials.

`python3 -m scoring.cosine [--mean mean.vec] [--transform transform.mat] <enroll> <test> <trials> <scores>`, where
`<enroll>` and `<test>` are rspecifiers or scp files of embeddings.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object
from minikaldi.ivector.vectors import apply_transform, paired_products
from scoring.embeddings import EmbeddingTable, read_embeddings
from scoring.program import run_program
from scoring.trials import Trials, read_trials, write_scores

logger = logging.getLogger(__name__)

Float64Array = NDArray[np.float64]


def unit_length(
    vectors: NDArray[np.floating],
    mean: NDArray[np.floating] | None = None,
    transform: NDArray[np.floating] | None = None,
) -> Float64Array:
    """Embeddings centred, transformed and brought to unit length.

    Args:
        vectors: (N, D).
        mean: (D,) to take off, or None.
        transform: (D', D) or affine (D', D + 1) to apply after that, or None.

    Returns:
        float64 (N, D'). A vector of length zero stays zero: its cosine with anything is 0.

    Raises:
        ValueError: the mean has another dimension than the vectors.
        minikaldi.errors.KaldiError: the transform has.
    """
    values = np.asarray(vectors, dtype=np.float64)
    if mean is not None:
        if len(mean) != values.shape[1]:
            raise ValueError(f"the mean has {len(mean)} dimensions, the embeddings {values.shape[1]}")
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
) -> Float64Array:
    """Cosine of the angle between the two embeddings of every trial, (N,), after `unit_length`.

    Raises:
        ValueError: a trial has no embedding; the text has the count and the first.
    """
    enroll_rows = enroll.rows([enroll_id for enroll_id, _ in trials.pairs], "enrolment")
    test_rows = test.rows([test_id for _, test_id in trials.pairs], "test")
    left = unit_length(enroll.vectors, mean, transform)
    right = left if test is enroll else unit_length(test.vectors, mean, transform)
    return paired_products(left, right, enroll_rows, test_rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the cosine scores of a trial list."""
    parser = argparse.ArgumentParser(prog="python3 -m scoring.cosine", description="Cosine scores of trials.")
    parser.add_argument("--mean", help="vector file to take off, as ivector-mean writes it")
    parser.add_argument("--transform", help="matrix file to apply after that, as ivector-compute-lda writes it")
    parser.add_argument("enroll", help="rspecifier or scp file")
    parser.add_argument("test", help="rspecifier or scp file")
    parser.add_argument("trials", help="lines `enroll test target|nontarget`")
    parser.add_argument("scores", help="file to write")
    args = parser.parse_args(argv)
    trials = read_trials(args.trials)
    mean = read_object(args.mean, FLOAT_VECTOR) if args.mean else None
    transform = read_object(args.transform, FLOAT_MATRIX) if args.transform else None
    enroll = read_embeddings(args.enroll)
    test = enroll if args.test == args.enroll else read_embeddings(args.test)
    write_scores(args.scores, trials, cosine_scores(trials, enroll, test, mean, transform))
    logger.info("%s: %d trials scored", args.scores, len(trials))
    return 0


if __name__ == "__main__":
    run_program(main)
