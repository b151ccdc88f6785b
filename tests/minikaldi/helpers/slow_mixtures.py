"""Gaussian mixtures as the formulas are written, one frame and one Gaussian at a time; and seeded models and frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm_of_moments
from minikaldi.gmm.full_gmm import FullGmm, full_gmm_of_moments
from minikaldi.io import FrameIndices

Array = npt.NDArray[np.float64]


def random_moments(num_gauss: int, dim: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Weights (M,), means (M, F) and covariances (M, F, F)."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(num_gauss, 5.0))
    spread = rng.standard_normal((num_gauss, dim, dim)) / np.sqrt(dim)
    return weights, rng.standard_normal((num_gauss, dim)), spread @ spread.transpose(0, 2, 1) + 0.3 * np.eye(dim)


def random_full(num_gauss: int, dim: int, seed: int = 0) -> FullGmm:
    """A mixture with full covariances."""
    return full_gmm_of_moments(*random_moments(num_gauss, dim, seed))


def random_diag(num_gauss: int, dim: int, seed: int = 0) -> DiagGmm:
    """A mixture with diagonal covariances."""
    weights, means, covars = random_moments(num_gauss, dim, seed)
    return diag_gmm_of_moments(weights, means, np.diagonal(covars, axis1=1, axis2=2))


def random_frames(num_frames: int, dim: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """float32 (T, F), normal."""
    return np.random.default_rng(seed).standard_normal((num_frames, dim)).astype(np.float32)


def random_selection(num_frames: int, num_gauss: int, seed: int = 2, most: int = 3) -> FrameIndices:
    """Up to `most` different Gaussians of each frame, not sorted."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(num_gauss)[: rng.integers(1, most + 1)] for _ in range(num_frames)]
    counts = np.array([len(each) for each in chosen], np.int32)
    return FrameIndices(counts, np.concatenate(chosen).astype(np.int32))


def slow_log_like(frame: npt.NDArray[np.floating], weight: float, mean: Array, covar: Array) -> float:
    """log w N(x; μ, Σ)."""
    gap = frame.astype(np.float64) - mean
    distance = gap @ np.linalg.inv(covar) @ gap
    return float(np.log(weight) - 0.5 * (len(mean) * np.log(2 * np.pi) + np.log(np.linalg.det(covar)) + distance))


def slow_statistics(
    moments: tuple[Array, Array, Array],
    feats: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    selection: FrameIndices,
) -> tuple[Array, Array, Array, Array]:
    """Log-likelihoods (T,) and, about 0, the occupancies (M,), sums (M, F) and sums of x xᵀ (M, F, F)."""
    num_gauss, dim = moments[1].shape
    occupancy, sums, products = np.zeros(num_gauss), np.zeros((num_gauss, dim)), np.zeros((num_gauss, dim, dim))
    likes, at = [], 0
    for frame, weight, count in zip(feats.astype(np.float64), weights, selection.counts, strict=True):
        chosen = selection.indices[at : at + count]
        at += count
        log_likes = np.array([slow_log_like(frame, *(part[g] for part in moments)) for g in chosen])
        total = np.logaddexp.reduce(log_likes)
        likes.append(total)
        for gauss, share in zip(chosen, weight * np.exp(log_likes - total), strict=True):
            occupancy[gauss] += share
            sums[gauss] += share * frame
            products[gauss] += share * np.outer(frame, frame)
    return np.array(likes), occupancy, sums, products
