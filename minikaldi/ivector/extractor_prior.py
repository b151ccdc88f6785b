"""The prior after a pass: vectors are transformed so that their prior is again N(p e_0, I).

This is the minimum divergence step: the transform makes the covariance of the vectors the unit matrix, and their mean a
multiple of e_0. What rotation it leaves free orders the other dimensions by their mean weight in the quadratic term.

Source: IvectorExtractorStats::UpdatePrior, GetOrthogonalIvectorTransform and PriorDiagnostics in
ivector/ivector-extractor.cc.
"""

from __future__ import annotations

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float64Array, unpacked
from minikaldi.ivector.extractor import IvectorExtractor, transformed_extractor
from minikaldi.ivector.extractor_stats import ExtractorStats
from minikaldi.ivector.extractor_update import Report
from minikaldi.ivector.vectors import orient_rows

_SMALLEST_VARIANCE = 1.0e-7
_BLOCK = 32  # Gaussians


def update_prior(
    extractor: IvectorExtractor, stats: ExtractorStats, diagonalize: bool, log: Report, warn: Report
) -> tuple[IvectorExtractor, float]:
    """The extractor of the transformed vectors, and the improvement per frame. Projections are changed in place.

    Raises:
        KaldiError: there are no vectors, or their mean is 0.
    """
    if not stats.num_ivectors > 0.0:
        raise KaldiError("the statistics have no vectors; give utterances with posteriors")
    mean = stats.ivector_sum / stats.num_ivectors
    covariance = unpacked(stats.ivector_scatter) / stats.num_ivectors - np.outer(mean, mean)
    transform, offset = _whitening_to_first(mean, covariance, log, warn)
    if diagonalize and len(mean) > 1:
        transform[1:] = _ordering(transform[1:], extractor, log) @ transform[1:]
    improvement = _report_improvement(extractor.prior_offset, stats, mean, covariance, log)
    log(f"Setting iVector prior offset to {offset:.6g}")
    return transformed_extractor(extractor, transform, offset), improvement


def _whitening_to_first(
    mean: Float64Array, covariance: Float64Array, log: Report, warn: Report
) -> tuple[Float64Array, float]:
    """A transform (I, I) that makes the covariance the unit matrix and the mean a multiple of e_0, which is returned.

    A whitening, and the reflection that takes the whitened mean to e_0.
    """
    values, vectors = np.linalg.eigh(covariance)
    log(f"Eigenvalues of iVector covariance range from {values[0]:.6g} to {values[-1]:.6g}")
    low = int((values < _SMALLEST_VARIANCE).sum())
    if low:
        warn(f"Floored {low} eigenvalues of covar of iVectors.")
    whitening = vectors.T / np.sqrt(np.maximum(values, _SMALLEST_VARIANCE))[:, None]
    projected = whitening @ mean
    offset = float(np.linalg.norm(projected))
    if not offset > 0.0:
        raise KaldiError(
            "the mean of the vectors is 0 or NaN: the statistics are damaged, or their prior has no offset"
        )
    normal = projected / offset
    normal[0] -= 1.0
    length = float(normal @ normal)
    if length > 0.0:  # else the whitened mean is a multiple of e_0 already
        whitening -= np.outer(normal, (2.0 / length) * (normal @ whitening))
    return whitening, offset


def _ordering(rows: Float64Array, extractor: IvectorExtractor, log: Report) -> Float64Array:
    """An orthogonal matrix (I-1, I-1) for the dimensions after the first: with it the mean quadratic term is diagonal.

    Args:
        rows: (I-1, I), the transform without its first row.
    """
    back = np.linalg.inv(rows[:, 1:])
    mean_quadratic = back.T @ _mean_quadratic(extractor)[1:, 1:] @ back
    values, vectors = np.linalg.eigh(0.5 * (mean_quadratic + mean_quadratic.T))
    log(f"Eigenvalues of Vavg:  [ {' '.join(f'{value:.6g}' for value in values[::-1])} ]")
    return orient_rows(vectors[:, ::-1].T)


def _mean_quadratic(extractor: IvectorExtractor) -> Float64Array:
    """Σ_i w_i M_iᵀ Σ_i⁻¹ M_i (I, I); equal weights if they depend on the vector."""
    num_gauss, _, ivector_dim = extractor.projections.shape
    weights = np.full(num_gauss, 1.0 / num_gauss) if extractor.has_weight_projections else extractor.weights
    total = np.zeros((ivector_dim, ivector_dim))
    for start in range(0, num_gauss, _BLOCK):
        block = slice(start, start + _BLOCK)
        projections = extractor.projections[block]
        scaled = (unpacked(extractor.inv_covars[block]) * weights[block, None, None]) @ projections
        total += projections.reshape(-1, ivector_dim).T @ scaled.reshape(-1, ivector_dim)
    return total


def _report_improvement(
    old_offset: float, stats: ExtractorStats, mean: Float64Array, covariance: Float64Array, log: Report
) -> float:
    """Log and return the improvement per frame of a prior with this mean and covariance over the old one."""
    moved = mean.copy()
    moved[0] -= old_offset
    sign, log_det = np.linalg.slogdet(covariance)
    if not sign > 0.0:
        raise KaldiError(
            "the covariance of the vectors is not positive definite; give more utterances, or set --ivector-dim lower"
        )
    change = 0.5 * (np.trace(covariance) + moved @ moved - len(mean) - log_det)
    per_frame = float(change * stats.num_ivectors / stats.counts.sum())
    log(f"Overall auxf improvement from prior is {per_frame:.6g} per frame, or {change:.6g} per iVector.")
    return per_frame
