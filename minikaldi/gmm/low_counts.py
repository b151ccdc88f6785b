"""Which Gaussians of a mixture have enough frames to be updated, and what happens to the others.

Source: Kaldi gmm/mle-diag-gmm.cc and mle-full-gmm.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.log import log, warning
from minikaldi.gmm.triangles import Float64Array


@dataclass(frozen=True)
class CountLimits:
    """When a Gaussian has too few frames.

    Attributes:
        min_weight: least share of all frames.
        min_occupancy: least number of frames.
        remove: whether such Gaussians are removed.
    """

    min_weight: float
    min_occupancy: float
    remove: bool


@dataclass(frozen=True)
class Counts:
    """The Gaussians by their numbers of frames.

    Attributes:
        shares: (M,), of all frames.
        enough: (M,), whether the Gaussian is updated.
        removed: (M,), whether it is removed; else, without enough frames, it keeps its mean and covariance.
    """

    shares: Float64Array
    enough: NDArray[np.bool_]
    removed: NDArray[np.bool_]


def by_counts(occupancy: Float64Array, limits: CountLimits, dim: int, index_name: str) -> Counts:
    """Sort the Gaussians by their numbers of frames; each with too few is reported.

    Args:
        occupancy: (M,).
        limits: when a Gaussian has too few frames.
        dim: F, for the report.
        index_name: of the Gaussian's index in Kaldi's report.
    """
    total, count = occupancy.sum(), len(occupancy)
    shares = occupancy / total if total > 0 else np.full(count, 1 / count)
    enough = (occupancy > limits.min_occupancy) & (shares > limits.min_weight)
    removed = np.zeros(count, np.bool_)
    for gauss in np.flatnonzero(~enough):
        share, frames = shares[gauss], occupancy[gauss]
        if limits.remove and removed.sum() < count - 1:
            removed[gauss] = True
            warning(
                f"Too little data - removing Gaussian (weight {share:.6f}, occupation count {frames:.6f}, "
                f"vector size {dim})"
            )
        else:
            reason = (
                " it is the last Gaussian: i = "
                if limits.remove
                else f" remove-low-count-gaussians == false: {index_name} = "
            )
            warning(
                f"Gaussian has too little data but not removing it because{reason}{gauss}, occ = {frames:.6g}, "
                f"weight = {share:.6g}"
            )
    return Counts(shares, enough, removed)


def new_weights(old: Float64Array, counts: Counts, limits: CountLimits) -> Float64Array:
    """The weights (M,) after an update, before Gaussians are removed: a removed one keeps its old weight."""
    kept = np.where(counts.removed, old, np.maximum(counts.shares, limits.min_weight))
    return np.where(counts.enough, counts.shares, kept)


@dataclass(frozen=True)
class UpdateReport:
    """What an update did.

    Attributes:
        improvement: of the objective function, summed over the frames.
        count: number of frames.
        floored: eigenvalues or variances that were raised to the floor.
        floored_gauss: Gaussians with one.
    """

    improvement: float
    count: float
    floored: int
    floored_gauss: int

    def log_floored(self) -> None:
        """Report the floored variances, if there are any."""
        if self.floored:
            warning(f"{self.floored} variances floored in {self.floored_gauss} Gaussians.")

    def log_all(self) -> None:
        """Report the floored variances and the improvement, as Kaldi's commands do."""
        self.log_floored()
        average = self.improvement / self.count if self.count else float("nan")
        log(f"Overall objective function improvement is {average:.6g} per frame over {self.count:.6g} frames.")
