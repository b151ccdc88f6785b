"""The update of a full-covariance mixture from its statistics.

Source: Kaldi gmm/mle-full-gmm.cc (MleFullGmmUpdate) and full-gmm-normal.cc (CopyToFullGmm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.gmm.flags import GmmFlags, check_flags
from minikaldi.gmm.full_gmm import FullGmm, full_gmm, full_gmm_of_moments
from minikaldi.gmm.full_stats import FullStats
from minikaldi.gmm.low_counts import CountLimits, Counts, UpdateReport, by_counts, new_weights
from minikaldi.gmm.stats_files import check_fits_model
from minikaldi.gmm.triangles import Float64Array, unpacked


@dataclass(frozen=True)
class EigenvalueLimits:
    """Limits of the eigenvalues of a covariance.

    Attributes:
        floor: least eigenvalue.
        max_condition: largest ratio of the largest eigenvalue to another.
    """

    floor: float
    max_condition: float


def update_full(
    gmm: FullGmm, stats: FullStats, flags: GmmFlags, limits: CountLimits, eigenvalues: EigenvalueLimits
) -> tuple[FullGmm, UpdateReport]:
    """The model that the statistics give.

    Args:
        gmm: the model under which they were accumulated.
        stats: the statistics.
        flags: what is updated.
        limits: when a Gaussian has too few frames.
        eigenvalues: limits of the covariances.

    Raises:
        KaldiError: statistics of another model, or not of all that is updated.
    """
    check_flags(flags, stats.flags)
    check_fits_model(stats.header, gmm.dim, gmm.num_gauss)
    counts = by_counts(stats.occupancy, limits, gmm.dim, "i")
    weights, means, covars = gmm.weights.astype(np.float64), gmm.means(), gmm.covars()
    if flags & GmmFlags.WEIGHTS:
        weights = new_weights(weights, counts, limits)
    floored = np.zeros(gmm.num_gauss, np.intp)
    enough = np.flatnonzero(counts.enough)
    if flags & GmmFlags.VARIANCES and enough.size:
        covars[enough], floored[enough] = floored_covars(_covars(means, stats, flags, enough), eigenvalues)
    if flags & GmmFlags.MEANS:
        means[enough] = stats.means()[enough]
    updated = full_gmm_of_moments(weights, means, covars)
    improvement = objective_of_full(updated, stats) - objective_of_full(gmm, stats)
    report = UpdateReport(improvement, float(stats.occupancy.sum()), int(floored.sum()), int((floored > 0).sum()))
    return (without_removed(updated, counts) if counts.removed.any() else updated), report


def _covars(means: Float64Array, stats: FullStats, flags: GmmFlags, enough: NDArray[np.intp]) -> Float64Array:
    """The covariances (n, F, F) about the new means, which are the old ones if the means are not updated."""
    covars = unpacked(stats.scatter[enough]) / stats.occupancy[enough, None, None]
    if not flags & GmmFlags.MEANS:
        gap = means[enough] - stats.means()[enough]
        covars += gap[:, :, None] * gap[:, None, :]
    return covars


def floored_covars(covars: Float64Array, limits: EigenvalueLimits) -> tuple[Float64Array, NDArray[np.intp]]:
    """Covariances (n, F, F) with their eigenvalues raised to the floor, and how many of each were raised (n,)."""
    values, vectors = np.linalg.eigh(covars)
    floors = np.maximum(limits.floor, np.abs(values).max(axis=1) / limits.max_condition)[:, None]
    raised = values < floors
    changed = raised.any(axis=1)
    fixed = covars.copy()
    scaled = vectors[changed] * np.maximum(values, floors)[changed, None, :]
    fixed[changed] = scaled @ vectors[changed].transpose(0, 2, 1)
    return fixed, raised.sum(axis=1)


def objective_of_full(gmm: FullGmm, stats: FullStats) -> float:
    """Σ over the frames of the expected log-likelihood; without the terms that the statistics lack."""
    used = stats.occupancy > 0
    value = float(stats.occupancy[used] @ gmm.gconsts[used].astype(np.float64))
    if stats.flags & GmmFlags.MEANS:
        value += float((stats.sums * gmm.means_invcovars).sum())
    if stats.flags & GmmFlags.VARIANCES:
        means, precisions = stats.means(), unpacked(gmm.inv_covars)
        about_zero = unpacked(stats.scatter)
        about_zero += stats.sums[:, :, None] * means[:, None, :]
        value -= 0.5 * float((about_zero * precisions).sum())
    return value


def without_removed(gmm: FullGmm, counts: Counts) -> FullGmm:
    """The model without the removed Gaussians; the weights are scaled to the sum 1."""
    kept = ~counts.removed
    weights = gmm.weights[kept].astype(np.float64)
    return full_gmm(weights / weights.sum(), gmm.means_invcovars[kept], gmm.inv_covars[kept])
