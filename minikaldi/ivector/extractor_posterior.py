"""The posterior distribution of the vectors of a batch of utterances.

With counts N (B, M) and sums F about the centres, the precision of an utterance's vector is I + Σ_i N_i U_i and its
linear term is Σ_i M_iᵀ Σ_i⁻¹ F_i. Both are one matrix product in float32 for the whole batch. Then each precision
matrix is factored in float64. Vectors are given about the prior's mean.

Where few Gaussians have frames, the prior alone determines some directions, and its 1 on the diagonal may be less than
the rounding of the rest. The equation of such an utterance is computed again in float64. The sign is the condition of
the precision with its diagonal scaled to 1: the rounding of an element is in proportion to the scales of its row and
column, so different scales do no harm. It is 4 to 15 where Gaussians with frames times dimensions are several times the
vector's dimensions, more than 100 where they are fewer.

Source: IvectorExtractor::GetIvectorDistribution and GetAuxf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float32Array, Float64Array, packed_of, unpacked
from minikaldi.ivector.exact_equations import exact_equation
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.posdef import (
    diagonal_places,
    factor_in_place,
    invert_factored,
    lower_places,
    lower_rows,
    scaled_condition,
    solve_factored,
)
from minikaldi.ivector.utterance_stats import BatchStats

# Of a precision with unit diagonal. A vector's error is about 1.5e-7 times it, so it stays below 1e-5. With few
# Gaussians an exact equation is cheap, and a new extractor's first dimension, of another scale, needs the margin.
LARGEST_CONDITION = 60.0
LARGEST_OF_FEW = 25.0
_FEW = 4  # times the vector's dimensions


@dataclass(frozen=True)
class BatchEquations:
    """The equations of the vectors of a batch of B utterances.

    Attributes:
        terms: of the extractor.
        stats: of the utterances.
        keys: (B,), their names.
        precisions: float32 (B, I(I+1)/2), lower triangles of the precisions, with the prior's.
        linear: float64 (B, I), the linear terms about the prior's mean.
        exact: float64 (I(I+1)/2,), precisions of rows that were computed again, with their linear terms.
    """

    terms: ExtractorTerms
    stats: BatchStats
    keys: Sequence[str]
    precisions: Float32Array
    linear: Float64Array
    exact: dict[int, Float64Array] = field(default_factory=dict)

    def precision(self, row: int) -> Float64Array:
        """The precision (I, I) of a row."""
        return unpacked(self.exact.get(row, self.precisions[row]))

    def factor(self, row: int, work: Float64Array, scratch: Float64Array) -> float:
        """Factor the precision of a row in `work` (I, I), which holds its lower triangle; in float64 where necessary.

        Args:
            row: of the batch.
            work: holds the precision, then its factor.
            scratch: (I, I), is overwritten.

        Returns:
            the logarithm of the precision's determinant.

        Raises:
            KaldiError: it is not positive definite in float64 either; the text names the utterance.
        """
        try:
            log_det = factor_in_place(work)
            diagonal = self.precisions[row, diagonal_places(len(work))]
            if scaled_condition(work, diagonal, scratch) <= self._largest_condition(row):
                return log_det
        except KaldiError:
            pass  # rounding has made the precision indefinite
        return self._factor_exact(row, work)

    def _largest_condition(self, row: int) -> float:
        determined = np.count_nonzero(self.stats.counts[row]) * self.terms.dim
        return LARGEST_OF_FEW if determined <= _FEW * self.terms.ivector_dim else LARGEST_CONDITION

    def _factor_exact(self, row: int, work: Float64Array) -> float:
        precision, self.linear[row] = exact_equation(self.terms, self.stats, row)
        self.exact[row] = np.asarray(packed_of(precision), dtype=np.float64)
        np.copyto(work, np.tril(precision))
        try:
            return factor_in_place(work)
        except KaldiError as error:
            raise KaldiError(
                f"{self.keys[row]}: the equation of its vector cannot be solved: {error}. Its "
                f"{self.stats.num_frames[row]:.6g} frames are too many, or the extractor's parameters are too large; "
                "limit them with --max-count or --acoustic-weight of ivector-extract, or train the extractor again"
            ) from error


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


def equations_of(terms: ExtractorTerms, stats: BatchStats, keys: Sequence[str]) -> BatchEquations:
    """The equations of a batch, without the effect of weights that depend on the vector.

    Args:
        terms: of the extractor.
        stats: of the utterances.
        keys: their names, for messages.

    Raises:
        KaldiError: the terms of an utterance are too large for float32.
    """
    precisions = stats.counts.astype(np.float32) @ terms.quadratic  # (B, M) (M, I(I+1)/2)
    precisions[:, diagonal_places(terms.ivector_dim)] += 1.0
    linear = (stats.sums @ terms.linear).astype(np.float64)  # (B, M F) (M F, I)
    finite = np.isfinite(linear).all(axis=1)
    if not finite.all():
        raise KaldiError(
            f"{keys[int(finite.argmin())]}: the features are too large: the equation of its vector overflows; compute "
            "them again, or leave the utterance out"
        )
    return BatchEquations(terms, stats, keys, precisions, linear)


def vectors_of(equations: BatchEquations) -> Float64Array:
    """The means (B, I) of the vectors."""
    dim = equations.linear.shape[1]
    means = np.empty_like(equations.linear)
    factor, scratch = np.zeros((dim, dim)), np.empty((dim, dim))
    for row in lower_rows(equations.precisions, factor):
        equations.factor(row, factor, scratch)
        means[row] = equations.linear[row]
        solve_factored(factor, means[row : row + 1])
    return means


def make_exact(equations: BatchEquations) -> None:
    """Compute again in float64 the equations for which that is necessary."""
    dim = equations.linear.shape[1]
    work, scratch = np.zeros((dim, dim)), np.empty((dim, dim))
    for row in lower_rows(equations.precisions, work):
        equations.factor(row, work, scratch)


def posterior_of(equations: BatchEquations) -> BatchPosterior:
    """Means, second moments and auxiliary function; the moments take the memory of the equations' precisions.

    The auxiliary function of the best Gaussian distribution is (meanᵀ linear - log |precision|) / 2.
    """
    means, moments = np.empty_like(equations.linear), equations.precisions
    dim = means.shape[1]
    auxf, places = np.empty(len(means)), lower_places(dim)
    work, outer = np.zeros((dim, dim)), np.empty((dim, dim))
    for row in lower_rows(equations.precisions, work):
        log_det = equations.factor(row, work, outer)
        means[row] = equations.linear[row]
        solve_factored(work, means[row : row + 1])
        invert_factored(work)
        auxf[row] = 0.5 * (means[row] @ equations.linear[row] - log_det)
        np.multiply.outer(means[row], means[row], out=outer)
        outer += work
        moments[row] = outer.reshape(-1)[places]
    return BatchPosterior(means, moments, auxf)
