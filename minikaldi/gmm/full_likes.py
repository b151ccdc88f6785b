"""Log-likelihoods of frames under their selected full-covariance Gaussians.

The frames are grouped by Gaussian. With the Cholesky factor L of the inverse covariance, log p = c - |Lᵀ(x - μ)|²/2 is
one matrix product per Gaussian with pairs, of small matrices that stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minikaldi.gmm.diag_likes import check_dim
from minikaldi.gmm.full_gmm import FullGmm
from minikaldi.gmm.selection import GaussPairs
from minikaldi.gmm.triangles import LOG_2PI, Float32Array, IndexArray, unpacked


class GaussGroup(NamedTuple):
    """The frames of one Gaussian, centred.

    Attributes:
        gauss: index of the Gaussian.
        pairs: (n,), the places of these pairs among all.
        centred: (n, F), frames minus the mean of the Gaussian; valid until the next group.
    """

    gauss: int
    pairs: IndexArray
    centred: Float32Array


class FullScorer:
    """Log-likelihoods under a model.

    Args:
        gmm: the model.

    Attributes:
        num_gauss: M.
        dim: F.
        means: (M, F), float64 values of the float32 means that are subtracted from the frames.
    """

    def __init__(self, gmm: FullGmm) -> None:
        self.num_gauss = gmm.num_gauss
        self.dim = gmm.dim
        factors = np.linalg.cholesky(unpacked(gmm.inv_covars))
        log_dets = 2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        with np.errstate(divide="ignore"):
            consts = np.log(gmm.weights.astype(np.float64)) + 0.5 * (log_dets - gmm.dim * LOG_2PI)
        self._factors = factors.astype(np.float32)  # (M, F, F)
        self._consts = consts.astype(np.float32)  # (M,), log-likelihood at the mean
        self._shifts = gmm.means().astype(np.float32)  # (M, F)
        self.means = self._shifts.astype(np.float64)

    def groups(self, feats: Float32Array, pairs: GaussPairs) -> Iterator[GaussGroup]:
        """The frames of each Gaussian in turn.

        Args:
            feats: (T, F).
            pairs: the pairs.

        Raises:
            KaldiError: the frames are not of the model's dimension.
        """
        check_dim(feats, self.dim)
        groups = pairs.groups
        buffer = np.empty((max((end - first for _, first, end in groups), default=0), self.dim), np.float32)
        order = pairs.by_gauss
        frames = pairs.frames[order]
        for gauss, first, end in groups:
            some = buffer[: end - first]
            np.take(feats, frames[first:end], axis=0, out=some, mode="clip")
            some -= self._shifts[gauss]
            yield GaussGroup(gauss, order[first:end], some)

    def pair_log_likes(self, feats: Float32Array, pairs: GaussPairs) -> Float32Array:
        """Log-likelihood of each pair (N,), each with the weight of its Gaussian; arguments as `groups`."""
        log_likes = np.empty(len(pairs.selection.indices), np.float32)
        for group in self.groups(feats, pairs):
            whitened = group.centred @ self._factors[group.gauss]
            log_likes[group.pairs] = np.vecdot(whitened, whitened)
        log_likes *= np.float32(-0.5)
        log_likes += self._consts[pairs.selection.indices]
        return log_likes
