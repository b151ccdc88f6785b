"""Gaussian weights that depend on the vector: softmax of a linear function of it.

The auxiliary function is then no longer quadratic in the vector. It is replaced by a quadratic bound around the current
vector, four times at most; and the statistics of the weights are sums over vectors drawn from the posterior.

Source: GetIvectorDistWeight, GetAcousticAuxfWeight and CommitStatsForW in ivector/ivector-extractor.cc; D. Povey et
al., "The subspace Gaussian mixture model", Computer Speech and Language 2011, eq. 58.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from minikaldi.gmm.triangles import Float64Array, packed_of
from minikaldi.ivector.extractor_posterior import BatchEquations, BatchPosterior, make_exact
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.utterance_stats import BatchStats

_ITERATIONS = 4
_SMALL_CHANGE = 0.1  # of a vector, in the Euclidean norm
_BLOCK = 8  # utterances; a block of matrices of 400 x 400 is 10 MB


@dataclass(frozen=True)
class WeightedPosterior:
    """Means and covariances of the vectors of a batch.

    Attributes:
        means: (B, I), about the prior's mean.
        covars: (B, I, I).
    """

    means: Float64Array
    covars: Float64Array


def posterior_with_weights(terms: ExtractorTerms, stats: BatchStats, equations: BatchEquations) -> WeightedPosterior:
    """The posterior of a batch's vectors with the effect of the weights."""
    make_exact(equations)
    means, ivector_dim = equations.linear.copy(), terms.ivector_dim
    covars = np.empty((len(means), ivector_dim, ivector_dim))
    for start in range(0, len(means), _BLOCK):
        block = slice(start, start + _BLOCK)
        counts = stats.counts[block]
        precisions = np.stack([equations.precision(row) for row in range(start, start + len(counts))])
        means[block], covars[block] = _solve_block(terms, counts, precisions, equations.linear[block])
    return WeightedPosterior(means, covars)


def _solve_block(
    terms: ExtractorTerms, counts: Float64Array, precisions: Float64Array, linear: Float64Array
) -> tuple[Float64Array, Float64Array]:
    projections = terms.weight_projections
    covars = _floored_inverses(precisions)
    means = np.matvec(covars, linear)
    rows = np.arange(len(means))  # of the utterances whose vector still changes
    for _ in range(_ITERATIONS):
        near = means[rows]
        weights = np.exp(log_weights(terms, near))
        expected = counts[rows].sum(axis=1, keepdims=True) * weights
        bound = np.maximum(counts[rows], expected)  # (b, M)
        slopes = counts[rows] - expected + bound * (near @ projections.T)
        curvature = (projections.T * bound[:, None, :]) @ projections  # -> (b, I, I)
        covars[rows] = _floored_inverses(precisions[rows] + curvature)
        means[rows] = np.matvec(covars[rows], linear[rows] + slopes @ projections)
        rows = rows[np.linalg.norm(means[rows] - near, axis=1) >= _SMALL_CHANGE]
        if not rows.size:
            break
    return means, covars


def _floored_inverses(precisions: Float64Array) -> Float64Array:
    """Inverses (b, I, I) of matrices whose eigenvalues are at least 1, as the prior's precision is in them."""
    values, vectors = np.linalg.eigh(precisions)
    return np.asarray((vectors / np.maximum(values, 1.0)[:, None, :]) @ vectors.transpose(0, 2, 1))


def log_weights(terms: ExtractorTerms, means: Float64Array) -> Float64Array:
    """Log-weights (B, M) of the Gaussians for vectors (B, I) about the prior's mean."""
    logs = means @ terms.weight_projections.T + terms.prior_offset * terms.weight_projections[:, 0]
    largest = logs.max(axis=1, keepdims=True)
    return np.asarray(logs - largest - np.log(np.exp(logs - largest).sum(axis=1, keepdims=True)))


def moments_of(
    terms: ExtractorTerms, stats: BatchStats, equations: BatchEquations, posterior: WeightedPosterior
) -> BatchPosterior:
    """Means, second moments and auxiliary function of a posterior with weights.

    The term of the weights' variance has the sign that Kaldi's code gives it.
    """
    means, covars = posterior.means, posterior.covars
    moments = packed_of(covars + means[:, :, None] * means[:, None, :]).astype(np.float32)
    auxf = point_auxf(terms, stats, equations, means)
    for row, covar in enumerate(covars):
        precision = equations.precision(row)
        log_det = np.linalg.slogdet(covar)[1]
        auxf[row] += 0.5 * (len(covar) + log_det - np.vdot(covar, precision))
        logs = log_weights(terms, means[row : row + 1])[0]
        auxf[row] -= 0.5 * _weight_curvature(terms.weight_projections, np.exp(logs), stats.counts[row], covar)
    return BatchPosterior(means, moments, auxf)


def _weight_curvature(
    projections: Float64Array, weights: Float64Array, counts: Float64Array, covar: Float64Array
) -> float:
    slopes = projections + np.multiply.outer(weights, weights @ projections)  # (M, I)
    return float(np.vecdot(slopes @ covar, slopes) @ counts)


def point_auxf(
    terms: ExtractorTerms, stats: BatchStats, equations: BatchEquations, means: Float64Array
) -> Float64Array:
    """The auxiliary function (B,) at vectors (B, I), less what does not depend on them; without covariances."""
    auxf = np.vecdot(log_weights(terms, means), stats.counts)
    for row, mean in enumerate(means):
        auxf[row] += mean @ (equations.linear[row] - 0.5 * equations.precision(row) @ mean)
    return np.asarray(auxf)


@dataclass(frozen=True)
class WeightStats:
    """What a batch adds to the statistics of the weights.

    Attributes:
        linear_coefficients: (N, M), for each of N drawn vectors.
        quadratic_coefficients: (N, M).
        vectors: (N, I), about zero.
    """

    linear_coefficients: Float64Array
    quadratic_coefficients: Float64Array
    vectors: Float64Array


def weight_stats(
    terms: ExtractorTerms, stats: BatchStats, posterior: WeightedPosterior, num_samples: int, keys: Sequence[str]
) -> WeightStats:
    """Coefficients at `num_samples` vectors drawn for each utterance.

    They are seeded by the utterance's key and the model, so that each pass of a training draws others. The draws of an
    utterance have its exact mean, and are scaled so that their variance is right.
    """
    dim = terms.ivector_dim
    model = crc32(terms.weight_projections.tobytes(), crc32(np.float64(terms.prior_offset).tobytes()))
    draws = np.stack(
        [np.random.default_rng((crc32(key.encode()), model)).standard_normal((num_samples, dim)) for key in keys]
    )
    draws = draws @ np.linalg.cholesky(posterior.covars).transpose(0, 2, 1)  # (B, S, I) (B, I, I)
    draws -= draws.mean(axis=1, keepdims=True)
    draws *= np.sqrt(num_samples / (num_samples - 1.0))
    vectors = (posterior.means[:, None, :] + draws).reshape(-1, dim)  # -> (B S, I)
    counts = np.repeat(stats.counts, num_samples, axis=0)
    expected = counts.sum(axis=1, keepdims=True) * np.exp(log_weights(terms, vectors))
    bound = np.maximum(counts, expected)
    vectors[:, 0] += terms.prior_offset
    slopes = counts - expected + bound * (vectors @ terms.weight_projections.T)
    return WeightStats(slopes / num_samples, bound / num_samples, vectors)
