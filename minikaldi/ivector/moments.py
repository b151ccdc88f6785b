"""Mean and covariance of vectors that come in blocks and are not kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.ivector.vectors import Float64Array


class Moments:
    """Number, sum and second moments of vectors, float64; memory is D x D whatever their number.

    The first block's mean is subtracted before squaring, so that vectors far from the origin lose no digits.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.num_vectors = 0
        self.origin: Float64Array | None = None
        self._sum = np.zeros(dim)
        self._squares = np.zeros((dim, dim))

    def add(self, vectors: NDArray[np.floating]) -> Float64Array:
        """Add a block (N, D), N >= 1; returns it less `origin`, (N, D)."""
        values = np.asarray(vectors, dtype=np.float64)
        if self.origin is None:
            self.origin = values.mean(axis=0)
        offsets = values - self.origin
        self._sum += offsets.sum(axis=0)
        self._squares += offsets.T @ offsets
        self.num_vectors += len(offsets)
        return offsets

    def mean_offset(self) -> Float64Array:
        """Mean less `origin`, (D,)."""
        return self._sum / self.num_vectors

    def mean(self) -> Float64Array:
        """Mean, (D,)."""
        assert self.origin is not None, "no vectors were added"
        return self.origin + self.mean_offset()

    def covariance(self) -> Float64Array:
        """Covariance about the mean, (D, D), divided by the number of vectors.

        Raises:
            KaldiError: it is not finite, as a vector held NaN or infinity.
        """
        offset = self.mean_offset()
        covariance = self._squares / self.num_vectors - np.outer(offset, offset)
        if not np.isfinite(covariance).all():
            raise KaldiError("the covariance of the vectors is not finite: look for NaN or infinity in the embeddings")
        return covariance
