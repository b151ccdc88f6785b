"""The statistics of a pass over the data from which an extractor is estimated again: Kaldi's file has them about zero.

`StatsAccumulator` adds batches about the extractor's centres and the prior's mean, in float32 products that BLAS adds
to the sums in place. A sum of a few hundred batches has an error of 1e-6 of its element: the file has R in float32 too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float32Array, Float64Array, packed_of, unpacked
from minikaldi.ivector.extractor_posterior import BatchPosterior
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.extractor_weights import WeightStats
from minikaldi.ivector.utterance_stats import BatchStats

_SAMPLES = 100  # vectors whose second moments are held at a time


@dataclass
class ExtractorStats:
    """Statistics of N utterances: M Gaussians of F dimensions, vectors of I dimensions. float64 but for `quadratic`.

    Attributes:
        auxf: the auxiliary function, summed over frames; 0 if it was not computed.
        counts: (M,), frames of each Gaussian.
        linear: (M, F, I), Y_i: sums of frames times mean vectors.
        quadratic: (M, I(I+1)/2), R_i: second moments of the vectors times counts. float32 as in files; float64 of sums.
        weight_quadratic: (M, I(I+1)/2), Q, of weights that depend on the vector; else (0, 0).
        weight_linear: (M, I), G, likewise.
        scatter: (M, F(F+1)/2), second-order statistics of the frames; (0, 0) if variances are not updated.
        num_ivectors: N.
        ivector_sum: (I,).
        ivector_scatter: (I(I+1)/2,), the sum of the vectors' second moments.
    """

    auxf: float
    counts: Float64Array
    linear: Float64Array
    quadratic: NDArray[np.floating]
    weight_quadratic: NDArray[np.floating]
    weight_linear: Float64Array
    scatter: Float64Array
    num_ivectors: float
    ivector_sum: Float64Array
    ivector_scatter: Float64Array

    def check(self) -> None:
        """Check that the arrays belong together.

        Raises:
            KaldiError: their shapes differ.
        """
        num_gauss, dim, ivector_dim = self.linear.shape
        triangle = ivector_dim * (ivector_dim + 1) // 2
        shapes: dict[str, tuple[tuple[int, ...], list[tuple[int, ...]]]] = {
            "gamma": (self.counts.shape, [(num_gauss,)]),
            "R": (self.quadratic.shape, [(num_gauss, triangle)]),
            "Q": (self.weight_quadratic.shape, [(0, 0), (num_gauss, triangle)]),
            "G": (self.weight_linear.shape, [(0, 0), (num_gauss, ivector_dim)]),
            "S": (self.scatter.shape, [(0, 0), (num_gauss, dim * (dim + 1) // 2)]),
            "IvectorSum": (self.ivector_sum.shape, [(ivector_dim,)]),
            "IvectorScatter": (self.ivector_scatter.shape, [(triangle,)]),
        }
        for name, (found, right) in shapes.items():
            if found not in right:
                raise KaldiError(
                    f"statistics of {num_gauss} Gaussians, {dim} x {ivector_dim}: {name} has the shape {found}, "
                    f"expected {' or '.join(map(str, right))}"
                )
        if bool(self.weight_quadratic.size) != bool(self.weight_linear.size):
            raise KaldiError("statistics of the weights lack one of Q and G; accumulate them again")


class StatsAccumulator:
    """Adds batches of utterances.

    Args:
        terms: of the extractor.
        update_variances: whether the batches come with second-order statistics.
        compute_auxf: whether to compute the auxiliary function.
    """

    def __init__(self, terms: ExtractorTerms, update_variances: bool, compute_auxf: bool) -> None:
        num_gauss, dim, ivector_dim = terms.num_gauss, terms.dim, terms.ivector_dim
        triangle = ivector_dim * (ivector_dim + 1) // 2
        self._terms, self._compute_auxf = terms, compute_auxf
        self._auxf = 0.0
        self._counts = np.zeros(num_gauss)
        self._linear = np.zeros((num_gauss * dim, ivector_dim), dtype=np.float32)
        self._sums = np.zeros((num_gauss, dim))
        self._quadratic = np.zeros((num_gauss, triangle), dtype=np.float32)
        self._weighted_means = np.zeros((num_gauss, ivector_dim))  # sums of counts times means
        self._scatter = np.zeros((num_gauss, dim, dim)) if update_variances else None
        has_weights = terms.has_weight_projections
        self._weight_quadratic = np.zeros((num_gauss, triangle) if has_weights else (0, 0), dtype=np.float32)
        self._weight_linear = np.zeros((num_gauss, ivector_dim) if has_weights else (0, 0))
        self._num_ivectors = 0
        self._mean_sum = np.zeros(ivector_dim)
        self._moment_sum = np.zeros(triangle)

    def add(self, stats: BatchStats, posterior: BatchPosterior) -> None:
        """Add a batch; the posterior is that of its statistics."""
        self._counts += stats.counts.sum(axis=0)
        self._sums += stats.sums.sum(axis=0, dtype=np.float64).reshape(self._sums.shape)
        _add_product(self._linear, stats.sums, posterior.means.astype(np.float32))
        _add_product(self._quadratic, stats.counts.astype(np.float32), posterior.moments)
        self._weighted_means += stats.counts.T @ posterior.means
        if self._scatter is not None:
            assert stats.scatter is not None, "the batch has no second-order statistics"
            self._scatter += stats.scatter
        self._num_ivectors += len(posterior.means)
        self._mean_sum += posterior.means.sum(axis=0)
        self._moment_sum += posterior.moments.sum(axis=0, dtype=np.float64)
        if self._compute_auxf:
            self._auxf += float(posterior.auxf.sum())
            if self._scatter is None:
                self._auxf += _mean_auxf(self._terms, stats)

    def add_weights(self, weights: WeightStats) -> None:
        """Add what a batch adds to the statistics of weights that depend on the vector."""
        self._weight_linear += weights.linear_coefficients.T @ weights.vectors
        for start in range(0, len(weights.vectors), _SAMPLES):  # a block of 400-dimensional vectors is 32 MB
            block = slice(start, start + _SAMPLES)
            vectors = weights.vectors[block]
            moments = packed_of(vectors[:, :, None] * vectors[:, None, :]).astype(np.float32)
            _add_product(self._weight_quadratic, weights.quadratic_coefficients[block].astype(np.float32), moments)

    def finish(self) -> ExtractorStats:
        """The statistics about zero; the accumulator is used up, as its arrays are changed in place."""
        terms = self._terms = self._terms.without_products()
        offset, dim, ivector_dim = terms.prior_offset, terms.dim, terms.ivector_dim
        scatter = np.zeros((0, 0)) if self._scatter is None else self._scatter_about_zero()
        linear = np.empty((terms.num_gauss, dim, ivector_dim))
        for gauss, block in enumerate(self._linear.reshape(linear.shape)):
            centre = terms.centres[gauss].astype(np.float64)
            linear[gauss] = block + np.multiply.outer(centre, self._weighted_means[gauss])
            linear[gauss, :, 0] += offset * (self._sums[gauss] + self._counts[gauss] * centre)
        first_column = np.arange(ivector_dim) * (np.arange(ivector_dim) + 1) // 2  # of the lower triangle
        self._quadratic[:, first_column] += offset * self._weighted_means
        self._quadratic[:, 0] += offset * self._weighted_means[:, 0] + offset**2 * self._counts
        moments = self._moment_sum.copy()
        moments[first_column] += offset * self._mean_sum
        moments[0] += offset * self._mean_sum[0] + offset**2 * self._num_ivectors
        means = self._mean_sum.copy()
        means[0] += offset * self._num_ivectors
        return ExtractorStats(
            self._total_auxf(), self._counts, linear, self._quadratic, self._weight_quadratic, self._weight_linear,
            scatter, float(self._num_ivectors), means, moments,
        )  # fmt: skip

    def _scatter_about_zero(self) -> Float64Array:
        """Lower triangles of Σ x xᵀ, of the differences' d: Σ d dᵀ + s cᵀ + c sᵀ + n c cᵀ."""
        assert self._scatter is not None
        centres = self._terms.centres.astype(np.float64)
        half = (self._sums + 0.5 * self._counts[:, None] * centres)[:, :, None] * centres[:, None, :]
        half += 0.5 * self._scatter
        return np.asarray(packed_of(half + half.transpose(0, 2, 1)))

    def _total_auxf(self) -> float:
        """The auxiliary function with the terms that are linear in the statistics of all utterances."""
        if not self._compute_auxf:
            return 0.0
        terms = self._terms
        total = self._auxf + float(self._counts @ terms.log_norms)
        if not terms.has_weight_projections:
            used = self._counts != 0.0  # a Gaussian of weight 0 has no frames
            total += float(self._counts[used] @ np.log(terms.weights[used]))
        if self._scatter is None:
            return float(total - 0.5 * terms.dim * self._counts.sum())
        return float(total - 0.5 * np.einsum("mij,mij->", self._scatter, unpacked(terms.inv_covars)))


def _add_product(total: Float32Array, left: Float32Array, right: Float32Array) -> None:
    """Add leftᵀ right to `total` in place: (B, N)ᵀ (B, K) to (N, K), without an array for the product.

    The arrays are row-major; BLAS sees their transposes.
    """
    from scipy.linalg.blas import sgemm

    sgemm(1.0, right.T, left.T, beta=1.0, c=total.T, trans_b=1, overwrite_c=1)


def _mean_auxf(terms: ExtractorTerms, stats: BatchStats) -> float:
    """-½ Σ n mᵀ Σ⁻¹ m with each utterance's mean m of each Gaussian, about the centre.

    It is what the auxiliary function has in place of the second-order statistics, if they were not made: as if the
    variance within an utterance were the model's.
    """
    utts, gauss = np.nonzero(stats.counts)
    sums = stats.sums.reshape(len(stats.counts), terms.num_gauss, terms.dim)[utts, gauss].astype(np.float64)
    order = np.argsort(gauss, kind="stable")
    bounds = np.searchsorted(gauss[order], np.arange(terms.num_gauss + 1))
    total = 0.0
    for index in np.flatnonzero(np.diff(bounds)):
        rows = order[bounds[index] : bounds[index + 1]]
        products = sums[rows] @ unpacked(terms.inv_covars[index])
        total += float((np.vecdot(products, sums[rows]) / stats.counts[utts[rows], index]).sum())
    return -0.5 * total
