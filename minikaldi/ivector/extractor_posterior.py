"""The posterior distribution of the vectors of a batch of utterances.

With counts N (B, M) and sums F about the centres, the precision of an utterance's vector is I + Σ_i N_i U_i and its
linear term is Σ_i M_iᵀ Σ_i⁻¹ F_i. Both are one matrix product for the whole batch. Then each precision matrix is
factored in float64. Vectors are given about the prior's mean.

Source: IvectorExtractor::GetIvectorDistribution and GetAuxf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float32Array, Float64Array
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.posdef import (
    diagonal_places,
    factor_in_place,
    invert_factored,
    lower_places,
    lower_rows,
    solve_factored,
)
from minikaldi.ivector.utterance_stats import BatchStats


@dataclass(frozen=True)
class BatchEquations:
    """The equations of the vectors of a batch of B utterances.

    Attributes:
        precisions: float32 (B, I(I+1)/2), lower triangles of the precisions, with the prior's.
        linear: float64 (B, I), the linear terms about the prior's mean.
    """

    precisions: Float32Array
    linear: Float64Array


@dataclass(frozen=True)
class BatchPosterior:
    """Means and second moments of the vectors of a batch, about the prior's mean.

    Attributes:
        means: float64 (B, I).
        moments: float32 (B, I(I+1)/2), lower triangles of covariance + mean meanᵀ.
        auxf: float64 (B,), the part of the auxiliary function that depends on the vector's distribution.
    """

    means: Float64Array
    moments: Float32Array
    auxf: Float64Array


def equations_of(terms: ExtractorTerms, stats: BatchStats) -> BatchEquations:
    """The equations of a batch, without the effect of weights that depend on the vector.

    Raises:
        KaldiError: the terms are too large for float32.
    """
    precisions = stats.counts.astype(np.float32) @ terms.quadratic  # (B, M) (M, I(I+1)/2)
    precisions[:, diagonal_places(terms.ivector_dim)] += 1.0
    linear = (stats.sums @ terms.linear).astype(np.float64)  # (B, M F) (M F, I)
    if not np.isfinite(linear).all():
        raise KaldiError("the features are too large: the equations of the vectors overflow")
    return BatchEquations(precisions, linear)


def vectors_of(equations: BatchEquations) -> Float64Array:
    """The means (B, I) of the vectors."""
    means = equations.linear.copy()
    dim = means.shape[1]
    factor = np.zeros((dim, dim))
    for row in lower_rows(equations.precisions, factor):
        factor_in_place(factor)
        solve_factored(factor, means[row : row + 1])
    return means


def posterior_of(equations: BatchEquations) -> BatchPosterior:
    """Means, second moments and auxiliary function; the moments take the memory of the equations' precisions.

    The auxiliary function of the best Gaussian distribution is (meanᵀ linear - log |precision|) / 2.
    """
    means, moments = equations.linear.copy(), equations.precisions
    dim = means.shape[1]
    auxf, places = np.empty(len(means)), lower_places(dim)
    work, outer = np.zeros((dim, dim)), np.empty((dim, dim))
    for row in lower_rows(equations.precisions, work):
        log_det = factor_in_place(work)
        solve_factored(work, means[row : row + 1])
        invert_factored(work)
        auxf[row] = 0.5 * (means[row] @ equations.linear[row] - log_det)
        np.multiply.outer(means[row], means[row], out=outer)
        outer += work
        moments[row] = outer.reshape(-1)[places]
    return BatchPosterior(means, moments, auxf)
