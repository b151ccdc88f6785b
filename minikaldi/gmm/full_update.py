"""The update of a full-covariance mixture from its statistics.

Source: Kaldi gmm/mle-full-gmm.cc (MleFullGmmUpdate) and full-gmm-normal.cc (CopyToFullGmm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.gmm.flags import GmmFlags, check_flags
from minikaldi.gmm.full_gmm import FullGmm, full_gmm
from minikaldi.gmm.full_stats import FullStats
from minikaldi.gmm.low_counts import CountLimits, Counts, UpdateReport, by_counts, new_weights
from minikaldi.gmm.stats_files import check_fits_model, check_stats_finite
from minikaldi.gmm.triangles import Float64Array, packed_of, triangle_indices, unpacked


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
        KaldiError: statistics of another model, not of all that is updated, or not finite.
    """
    check_flags(flags, stats.flags)
    check_fits_model(stats.header, gmm.dim, gmm.num_gauss)
    check_stats_finite(stats.occupancy, stats.sums, stats.scatter)
    counts = by_counts(stats.occupancy, limits, gmm.dim, "i")
    weights = gmm.weights.astype(np.float64)
    if flags & GmmFlags.WEIGHTS:
        weights = new_weights(weights, counts, limits)
    enough = np.flatnonzero(counts.enough)
    means = _means(gmm, stats, flags, counts)
    inverses = unpacked(gmm.inv_covars)  # (M, F, F)
    floored = np.zeros(gmm.num_gauss, np.intp)
    if flags & GmmFlags.VARIANCES and enough.size:
        inverses[enough], floored[enough] = floored_inverses(_covars(means, stats, enough), eigenvalues)
    updated = full_gmm(weights, (inverses @ means[:, :, None])[:, :, 0], packed_of(inverses))
    products = second_moments(stats)
    improvement = objective_of_full(updated, stats, products) - objective_of_full(gmm, stats, products)
    report = UpdateReport(improvement, float(stats.occupancy.sum()), int(floored.sum()), int((floored > 0).sum()))
    return (without_removed(updated, counts) if counts.removed.any() else updated), report


def _means(gmm: FullGmm, stats: FullStats, flags: GmmFlags, counts: Counts) -> Float64Array:
    """The new means (M, F): those of the frames, or the old ones."""
    if not flags & GmmFlags.MEANS:
        return gmm.means()
    means = stats.means()
    few = ~counts.enough
    if few.any():
        means[few] = gmm.means(few)
    return means


def _covars(means: Float64Array, stats: FullStats, enough: NDArray[np.intp]) -> Float64Array:
    """The covariances (n, F, F) of some Gaussians' frames about the new means, which may be the old ones."""
    covars = unpacked(stats.scatter[enough] / stats.occupancy[enough, None])
    gap = means[enough] - stats.means()[enough]
    if gap.any():
        covars += gap[:, :, None] * gap[:, None, :]
    return covars


def floored_inverses(covars: Float64Array, limits: EigenvalueLimits) -> tuple[Float64Array, NDArray[np.intp]]:
    """The inverses of covariances (n, F, F) after their eigenvalues are raised to the floor.

    Returns:
        (n, F, F), and how many eigenvalues of each were raised (n,).
    """
    values, vectors = np.linalg.eigh(covars)
    floors = np.maximum(limits.floor, np.abs(values).max(axis=1) / limits.max_condition)[:, None]
    scaled = vectors / np.maximum(values, floors)[:, None, :]
    return scaled @ vectors.transpose(0, 2, 1), (values < floors).sum(axis=1)


def second_moments(stats: FullStats) -> Float64Array:
    """The sums of x xᵀ (M, F(F+1)/2), lower triangles; each element counts as often as in the whole matrix.

    (0, 0) without GmmFlags.VARIANCES.
    """
    if not stats.flags & GmmFlags.VARIANCES:
        return stats.scatter
    rows, cols = triangle_indices(stats.dim)
    moments: Float64Array = stats.means()[:, rows]
    moments *= stats.sums[:, cols]
    moments += stats.scatter
    moments *= np.where(rows == cols, 1.0, 2.0)
    return moments


def objective_of_full(gmm: FullGmm, stats: FullStats, products: Float64Array) -> float:
    """Σ over the frames of the expected log-likelihood; without the terms that the statistics lack.

    Args:
        gmm: the model.
        stats: the statistics.
        products: `second_moments` of them.
    """
    used = stats.occupancy > 0
    value = float(stats.occupancy[used] @ gmm.gconsts[used].astype(np.float64))
    if stats.flags & GmmFlags.MEANS:
        value += float((stats.sums * gmm.means_invcovars).sum())
    if products.size:
        value -= 0.5 * float(np.vecdot(products, gmm.inv_covars.astype(np.float64)).sum())
    return value


def without_removed(gmm: FullGmm, counts: Counts) -> FullGmm:
    """The model without the removed Gaussians; the weights are scaled to the sum 1."""
    kept = ~counts.removed
    weights = gmm.weights[kept].astype(np.float64)
    return full_gmm(weights / weights.sum(), gmm.means_invcovars[kept], gmm.inv_covars[kept])
