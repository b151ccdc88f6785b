"""Adaptive symmetric score normalisation (AS-norm).

Each side's score is compared with its scores against other speakers, the cohort:
s' = ½ ((s − μ_e) / σ_e + (s − μ_t) / σ_t), with the mean μ and the standard deviation σ over the K members of the
cohort that are nearest to that side. One threshold then fits recordings that score high, or low, against everybody.

Source: Matějka et al. 2017, "Analysis of Score Normalization in Multilingual Speaker Recognition" (their AS-norm1).
If K is at least the size of the cohort, it is plain s-norm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError

Float64Array = NDArray[np.float64]
ROWS = 4096  # embeddings whose cohort scores are in memory at once


def cohort_statistics(vectors: Float64Array, cohort: Float64Array, top: int) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation of each embedding's largest cohort scores.

    Args:
        vectors: (N, D) of unit length.
        cohort: (M, D) of unit length.
        top: K, how many of the M scores count; all of them if there are fewer.

    Returns:
        mean: float64 (N,).
        deviation: float64 (N,); 1 in place of 0, which a zero vector has.

    Raises:
        InputError: fewer than two members, or another dimension.
    """
    if len(cohort) < 2 or top < 2:
        raise InputError(f"cohort: {len(cohort)} members, {top} nearest ones count; normalisation needs 2 or more")
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
    """The scores of trials, normalised by the statistics of both sides.

    Args:
        scores: (N,).
        enroll: from `cohort_statistics` of the enrolment embeddings.
        test: from `cohort_statistics` of the test embeddings.
        enroll_rows: int (N,), each trial's row in `enroll`.
        test_rows: int (N,), each trial's row in `test`.

    Returns:
        float64 (N,).
    """
    left = (scores - enroll[0][enroll_rows]) / enroll[1][enroll_rows]
    right = (scores - test[0][test_rows]) / test[1][test_rows]
    return 0.5 * (left + right)
