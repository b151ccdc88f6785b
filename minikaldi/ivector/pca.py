"""Principal components of embeddings or frames, for est-pca and for dense scoring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.vectors import SAME_SHARE, Float64Array, orient_rows

SMALLEST_VARIANCE = 1.0e-15
RANK_TOLERANCE = 1.0e-10  # eigenvalues below this share of the largest are rounding


@dataclass(frozen=True)
class Pca:
    """Principal components.

    Attributes:
        directions: (D, D), orthonormal rows.
        variances: (D,) along them, falling and >= 0.
        mean: (D,).
    """

    directions: Float64Array
    variances: Float64Array
    mean: Float64Array

    def transform(self, normalize_mean: bool = False, normalize_variance: bool = False) -> Float64Array:
        """The directions as a transform, (D, D), or with `normalize_mean` (D, D + 1), whose last column centres.

        Args:
            normalize_mean: make the mean of the projected vectors zero.
            normalize_variance: make their variances one; a variance below 1e-15 is treated as 1e-15.

        Source: bin/est-pca.cc.
        """
        rows = self.directions
        if normalize_variance:
            rows = rows / np.sqrt(np.maximum(self.variances, SMALLEST_VARIANCE))[:, None]
        return np.column_stack([rows, -rows @ self.mean]) if normalize_mean else rows

    def leading(self, target_energy: float) -> Float64Array:
        """The leading directions that keep more than `target_energy` of the variance, and the next one.

        Returns:
            (d, D), 1 <= d <= the rank of the covariance.

        Raises:
            KaldiError: the vectors do not vary.

        Source: ivectorbin/ivector-plda-scoring-dense.cc, which counts one direction more than the share needs. If that
        one is outside the space that the vectors span, it is arbitrary in Kaldi (it depends on the library that solves
        the eigenproblem), and is left out here.
        """
        if self.variances[0] <= SAME_SHARE * float(self.mean @ self.mean):
            raise KaldiError("the vectors do not vary, so they have no principal components")
        shares = np.cumsum(self.variances) / self.variances.sum()
        dim = int(np.count_nonzero(shares <= target_energy)) + 2
        rank = int(np.count_nonzero(self.variances > RANK_TOLERANCE * self.variances[0]))
        return self.directions[: min(dim, rank)]


def compute_pca(moments: Moments) -> Pca:
    """Principal components of the vectors that were added; the sign of each by `orient_rows`.

    Raises:
        KaldiError: the covariance is not finite.
    """
    variances, vectors = np.linalg.eigh(moments.covariance())
    return Pca(orient_rows(vectors.T[::-1]), np.maximum(variances[::-1], 0.0), moments.mean())
