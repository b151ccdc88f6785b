"""The update of a diagonal mixture from its statistics. Source: Kaldi gmm/mle-diag-gmm.cc (MleDiagGmmUpdate)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm, diag_gmm_of_moments
from minikaldi.gmm.diag_stats import DiagStats
from minikaldi.gmm.flags import GmmFlags, check_flags
from minikaldi.gmm.low_counts import CountLimits, Counts, UpdateReport, by_counts, new_weights
from minikaldi.gmm.stats_files import check_fits_model, check_stats_finite
from minikaldi.gmm.triangles import Float64Array


def update_diag(
    gmm: DiagGmm, stats: DiagStats, flags: GmmFlags, limits: CountLimits, min_variance: float
) -> tuple[DiagGmm, UpdateReport]:
    """The model that the statistics give.

    Args:
        gmm: the model under which they were accumulated.
        stats: the statistics.
        flags: what is updated.
        limits: when a Gaussian has too few frames.
        min_variance: floor of the variances.

    Raises:
        KaldiError: statistics of another model, not of all that is updated, or not finite.
    """
    check_flags(flags, stats.flags)
    check_fits_model(stats.header, gmm.dim, gmm.num_gauss)
    check_stats_finite(stats.occupancy, stats.sums, stats.squares)
    counts = by_counts(stats.occupancy, limits, gmm.dim, "g")
    weights, means, variances = gmm.weights.astype(np.float64), gmm.means(), gmm.variances()
    if flags & GmmFlags.WEIGHTS:
        weights = new_weights(weights, counts, limits)
    floored = np.zeros((gmm.num_gauss, gmm.dim), np.bool_)
    if flags & (GmmFlags.MEANS | GmmFlags.VARIANCES):
        means, variances, floored = _moments(means, variances, stats, flags, counts, min_variance)
    updated = diag_gmm_of_moments(weights, means, variances)
    improvement = objective(updated, stats) - objective(gmm, stats)
    report = UpdateReport(improvement, float(stats.occupancy.sum()), int(floored.sum()), int(floored.any(axis=1).sum()))
    return (without(updated, counts) if counts.removed.any() else updated), report


def _moments(
    means: Float64Array,
    variances: Float64Array,
    stats: DiagStats,
    flags: GmmFlags,
    counts: Counts,
    min_variance: float,
) -> tuple[Float64Array, Float64Array, NDArray[np.bool_]]:
    """Means, variances and where these were floored, all (M, F)."""
    enough = counts.enough[:, None]
    occupancy = np.where(counts.enough, stats.occupancy, 1)[:, None]
    found = stats.sums / occupancy
    floored: NDArray[np.bool_] = np.zeros(means.shape, np.bool_)
    if flags & GmmFlags.VARIANCES:
        spread = stats.squares / occupancy - found**2
        if not flags & GmmFlags.MEANS:
            spread += (means - found) ** 2
        floored = (spread < min_variance) & enough
        variances = np.where(enough, np.maximum(spread, min_variance), variances)
    if flags & GmmFlags.MEANS:
        means = np.where(enough, found, means)
    return means, variances, floored


def objective(gmm: DiagGmm, stats: DiagStats) -> float:
    """Σ over the frames of the expected log-likelihood; without the terms that the statistics lack."""
    used = stats.occupancy > 0
    value = float(stats.occupancy[used] @ gmm.gconsts[used].astype(np.float64))
    if stats.flags & GmmFlags.MEANS:
        value += float((stats.sums * gmm.means_invvars).sum())
    if stats.flags & GmmFlags.VARIANCES:
        value -= 0.5 * float((stats.squares * gmm.inv_vars).sum())
    return value


def without(gmm: DiagGmm, counts: Counts) -> DiagGmm:
    """The model without the removed Gaussians; the weights are scaled to the sum 1."""
    kept = ~counts.removed
    weights = gmm.weights[kept].astype(np.float64)
    return diag_gmm(weights / weights.sum(), gmm.means_invvars[kept], gmm.inv_vars[kept])
