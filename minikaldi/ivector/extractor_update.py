"""A new extractor from the statistics of a pass: projections, weights, covariances.

Source: IvectorExtractorStats::Update in ivector/ivector-extractor.cc. `minikaldi.ivector.extractor_prior` does its last
part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float64Array, packed_of, unpacked
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.extractor_stats import ExtractorStats
from minikaldi.ivector.quadratic_problem import solve_quadratic

Report = Callable[[str], None]
_LARGEST_FLOOR_CONDITION = 1.0e4
_BLOCK = 64  # Gaussians; a block of covariances of 72 dimensions is 3 MB


@dataclass(frozen=True)
class UpdateRules:
    """How to estimate.

    Attributes:
        gaussian_min_count: a Gaussian with fewer frames keeps its parameters.
        variance_floor_factor: in (0, 1]; variances are at least this share of the mean covariance.
        diagonalize: whether the dimensions are ordered by their weight in the quadratic term.
    """

    gaussian_min_count: float
    variance_floor_factor: float
    diagonalize: bool


@dataclass(frozen=True)
class _Residuals:
    """Scatter of the frames about the means that the new projections give: lower triangles, of the Gaussians `used`."""

    used: np.ndarray  # intp (U,)
    scatter: Float64Array  # (U, F, F)


def update_parameters(
    extractor: IvectorExtractor, stats: ExtractorStats, rules: UpdateRules, log: Report, warn: Report
) -> tuple[IvectorExtractor, float]:
    """The extractor with new projections, weights and covariances, and the improvement per frame.

    The extractor's arrays are changed in place.

    Raises:
        KaldiError: no Gaussian has enough frames, or the statistics are of another extractor.
    """
    _check_sizes(extractor, stats)
    residuals, improvement = _update_projections(extractor, stats, rules, log, warn)
    if extractor.has_weight_projections:
        improvement += _update_weights(extractor, stats, log)
    if stats.scatter.size:
        improvement += _update_variances(extractor, stats, rules, residuals, log, warn)
    return extractor, improvement


def _check_sizes(extractor: IvectorExtractor, stats: ExtractorStats) -> None:
    if stats.linear.shape != extractor.projections.shape:
        raise KaldiError(
            f"the statistics are of {stats.linear.shape} Gaussians, dimensions and vector dimensions, the i-vector "
            f"extractor has {extractor.projections.shape}; accumulate them with this extractor"
        )
    if bool(stats.weight_quadratic.size) != extractor.has_weight_projections:
        raise KaldiError(
            "of statistics and i-vector extractor only one has weights that depend on the vector; "
            "accumulate the statistics with this extractor"
        )
    sums = (stats.counts, stats.linear, stats.quadratic, stats.scatter, stats.ivector_sum, stats.ivector_scatter)
    if not all(np.isfinite(part).all() for part in sums):
        raise KaldiError("the statistics hold NaN or infinity; accumulate them again")
    if not stats.counts.sum() > 0.0:
        raise KaldiError("the statistics have no frames; give data whose posteriors are not 0")


def _update_projections(
    extractor: IvectorExtractor, stats: ExtractorStats, rules: UpdateRules, log: Report, warn: Report
) -> tuple[_Residuals, float]:
    total, used, scatter = 0.0, [], []
    for gauss, count in enumerate(stats.counts.tolist()):
        if count < rules.gaussian_min_count:
            warn(f"Skipping Gaussian index {gauss} because count {count:.6g} is below min-count.")
            continue
        quadratic, linear = unpacked(stats.quadratic[gauss]), stats.linear[gauss]
        precision, start = unpacked(extractor.inv_covars[gauss]), extractor.projections[gauss]
        solution = solve_quadratic(quadratic, linear, precision, start)
        extractor.projections[gauss] = solution.matrix
        total += solution.improvement
        used.append(gauss)
        if stats.scatter.size:
            cross = linear @ solution.matrix.T
            scatter.append(unpacked(stats.scatter[gauss]) - cross - cross.T + solution.product @ solution.matrix.T)
    frames = float(stats.counts.sum())
    log(
        f"Overall objective function improvement for M (mean projections) was {total / frames:.6g} per frame over "
        f"{frames:.6g} frames."
    )
    return _Residuals(np.array(used, dtype=np.intp), np.array(scatter)), total / frames


def _update_weights(extractor: IvectorExtractor, stats: ExtractorStats, log: Report) -> float:
    total = 0.0
    unit = np.ones((1, 1))
    for gauss, row in enumerate(extractor.weight_projections):
        quadratic, linear = unpacked(stats.weight_quadratic[gauss]), stats.weight_linear[gauss : gauss + 1]
        solution = solve_quadratic(quadratic, linear, unit, row[None, :])
        extractor.weight_projections[gauss] = solution.matrix[0]
        total += solution.improvement
    frames = float(stats.counts.sum())
    log(f"Overall auxf impr/frame from weight update is {total / frames:.6g} over {frames:.6g} frames.")
    return total / frames


def _update_variances(
    extractor: IvectorExtractor, stats: ExtractorStats, rules: UpdateRules, residuals: _Residuals, log: Report,
    warn: Report,
) -> float:  # fmt: skip
    if not residuals.used.size:
        raise KaldiError(
            f"no Gaussian has {rules.gaussian_min_count:g} frames; give more data, fewer Gaussians, or set "
            "--gaussian-min-count lower"
        )
    counts = stats.counts[residuals.used]
    floor = residuals.scatter.sum(axis=0) * (rules.variance_floor_factor / counts.sum())
    floor = _well_conditioned(0.5 * (floor + floor.T), warn)
    total, num_floored = 0.0, 0
    for start in range(0, len(counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        gauss, covars = residuals.used[block], residuals.scatter[block] / counts[block, None, None]
        gains, numbers = _replace_covariances(extractor, gauss, 0.5 * (covars + covars.transpose(0, 2, 1)), floor)
        for index, number in zip(gauss[numbers > 0], numbers[numbers > 0], strict=True):
            log(f"For Gaussian index {index}, floored {number} eigenvalues of variance.")
        total += float(counts[block] @ gains)
        num_floored += int(numbers.sum())
    frames = float(stats.counts.sum())
    log(f"Floored {100.0 * num_floored / (extractor.num_gauss * extractor.dim):.6g}% of all Gaussian eigenvalues")
    log(f"Overall objf impr/frame for variances was {total / frames:.6g} over {frames:.6g} frames.")
    return total / frames


def _replace_covariances(
    extractor: IvectorExtractor, gauss: np.ndarray, covars: Float64Array, floor: Float64Array
) -> tuple[Float64Array, np.ndarray]:
    """Set the covariances of some Gaussians (N,) to `covars` (N, F, F), floored.

    Returns:
        improvements per frame (N,), and numbers of floored eigenvalues (N,).
    """
    old = unpacked(extractor.inv_covars[gauss])
    floored, numbers = floored_covariances(covars, floor)
    new = np.linalg.inv(floored)
    new = 0.5 * (new + new.transpose(0, 2, 1))
    extractor.inv_covars[gauss] = packed_of(new)
    return _log_likelihoods(covars, new) - _log_likelihoods(covars, old), numbers


def _well_conditioned(floor: Float64Array, warn: Report) -> Float64Array:
    """The floor (F, F) with eigenvalues of at least 1e-4 of the largest.

    Raises:
        KaldiError: it is 0.
    """
    values, vectors = np.linalg.eigh(floor)
    least = float(np.abs(values).max()) / _LARGEST_FLOOR_CONDITION
    if not least > 0.0:
        raise KaldiError("the frames have no variance about the Gaussians' means; look at the features")
    low = int((values < least).sum())
    if not low:
        return floor
    warn(
        f"Floored {low} eigenvalues of the variance floor matrix.  This is not expected.  Maybe your feature data is "
        "linearly dependent."
    )
    return np.asarray((vectors * np.maximum(values, least)) @ vectors.T)


def floored_covariances(covars: Float64Array, floor: Float64Array) -> tuple[Float64Array, np.ndarray]:
    """Covariances that are at least the floor in every direction, and how many eigenvalues were raised.

    Args:
        covars: (N, F, F).
        floor: (F, F), positive definite.

    Returns:
        (N, F, F) and integers (N,).

    Source: SpMatrix::ApplyFloor in Kaldi matrix/sp-matrix.cc.
    """
    factor = np.linalg.cholesky(floor)
    whitening = np.linalg.inv(factor)
    values, vectors = np.linalg.eigh(whitening @ covars @ whitening.T)
    low = (values < 1.0).sum(axis=1)
    floored = covars.copy()
    raised = np.flatnonzero(low)
    back = factor @ vectors[raised]  # (n, F, F)
    floored[raised] = (back * np.maximum(values[raised], 1.0)[:, None, :]) @ back.transpose(0, 2, 1)
    return floored, low


def _log_likelihoods(covars: Float64Array, precisions: Float64Array) -> Float64Array:
    """(N,): per frame of covariance `covars` (N, F, F) under `precisions` (N, F, F), less a constant."""
    traces = np.einsum("nij,nij->n", covars, precisions)
    return np.asarray(-0.5 * (traces - np.linalg.slogdet(precisions)[1]))


def explained_share(extractor: IvectorExtractor, counts: Float64Array) -> float:
    """The share of the variance that the vectors explain, as Kaldi computes it: inverse variances count as at least 1.

    Source: IvectorExtractorStats::IvectorVarianceDiagnostic.
    """
    weights = counts / counts.sum()
    between = weights @ np.array([np.vdot(matrix, matrix) for matrix in extractor.projections])
    within = 0.0
    for start in range(0, extractor.num_gauss, _BLOCK):
        values = np.linalg.eigvalsh(unpacked(extractor.inv_covars[start : start + _BLOCK]))
        within += float(weights[start : start + _BLOCK] @ (1.0 / np.maximum(values, 1.0)).sum(axis=1))
    return float(between / (between + within))
