"""Adaptive symmetric score normalisation (AS-norm).

A score is measured by what either side gets against strangers: s' = ½ ((s − μ_e) / σ_e + (s − μ_t) / σ_t), with mean
and standard deviation over the K members of a cohort that are nearest to that side. So a recording that is like
everybody, or like nobody, hardly needs a threshold of its own.

Source: Matějka et al. 2017, "Analysis of Score Normalization in Multilingual Speaker Recognition" (their AS-norm1);
with K at least the size of the cohort it is plain s-norm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError

Float64Array = NDArray[np.float64]
ROWS = 4096  # embeddings whose cohort scores are held at once


def cohort_statistics(vectors: Float64Array, cohort: Float64Array, top: int) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation of each embedding's largest cohort scores.

    Args:
        vectors: (N, D) of unit length.
        cohort: (M, D) of unit length.
        top: K, how many of the M scores count; all of them where there are fewer.

    Returns:
        float64 (N,) and (N,). A standard deviation of 0 (a zero vector) is given as 1.

    Raises:
        InputError: fewer than two members, or another dimension.
    """
    if len(cohort) < 2 or top < 2:
        raise InputError(f"cohort: {len(cohort)} members, of which {top} count; normalisation needs 2 or more")
    if cohort.shape[1] != vectors.shape[1]:
        raise InputError(f"cohort: has {cohort.shape[1]} dimensions, the embeddings {vectors.shape[1]}")
    mean, deviation = np.empty(len(vectors)), np.empty(len(vectors))
    for first in range(0, len(vectors), ROWS):
        some = slice(first, first + ROWS)
        scores = vectors[some] @ cohort.T
        if top < len(cohort):
            scores = np.partition(scores, -top, axis=1)[:, -top:]
        mean[some], deviation[some] = scores.mean(axis=1), scores.std(axis=1)
    return mean, np.where(deviation > 0, deviation, 1.0)


def normalised(
    scores: Float64Array,
    enroll: tuple[Float64Array, Float64Array],
    test: tuple[Float64Array, Float64Array],
    enroll_rows: NDArray[np.intp],
    test_rows: NDArray[np.intp],
) -> Float64Array:
    """The scores (N,) of trials, each side's row by its statistics, as `cohort_statistics` gives them."""
    left = (scores - enroll[0][enroll_rows]) / enroll[1][enroll_rows]
    right = (scores - test[0][test_rows]) / test[1][test_rows]
    return 0.5 * (left + right)
