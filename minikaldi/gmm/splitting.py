"""More Gaussians: again and again the one of the largest weight becomes two, a little apart.

Source: Kaldi gmm/diag-gmm.cc and full-gmm.cc (Split).
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.random import Generator

from common.errors import KaldiError
from common.log import warning
from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm
from minikaldi.gmm.full_gmm import FullGmm, full_gmm
from minikaldi.gmm.triangles import Float32Array, Float64Array, IndexArray, unpacked


def split_diag(gmm: DiagGmm, target: int, perturb_factor: float, random: Generator) -> DiagGmm:
    """A model of `target` Gaussians.

    Args:
        gmm: a model of fewer.
        target: number of Gaussians.
        perturb_factor: how far the two are from their old mean, in standard deviations.
        random: draws the directions.

    Raises:
        KaldiError: the model has more Gaussians.
    """
    weights, parents = split_weights(gmm.weights, target)
    inv_vars = gmm.inv_vars[_origins(gmm.num_gauss, parents)]
    deviations = np.sqrt(inv_vars[gmm.num_gauss :].astype(np.float64))
    steps = perturb_factor * random.standard_normal(deviations.shape) * deviations
    return diag_gmm(weights, _moved(gmm.means_invvars, parents, steps), inv_vars)


def split_full(gmm: FullGmm, target: int, perturb_factor: float, random: Generator) -> FullGmm:
    """As `split_diag`; the two are moved by a step that has the covariance of their Gaussian."""
    weights, parents = split_weights(gmm.weights, target)
    inv_covars = gmm.inv_covars[_origins(gmm.num_gauss, parents)]
    factors = np.linalg.cholesky(unpacked(inv_covars[gmm.num_gauss :]))
    draws = random.standard_normal((len(parents), gmm.dim, 1))
    steps = perturb_factor * (factors @ draws)[:, :, 0]
    return full_gmm(weights, _moved(gmm.means_invcovars, parents, steps), inv_covars)


def split_weights(weights: Float32Array, target: int) -> tuple[Float64Array, list[int]]:
    """The weights (target,) after the splits, and the Gaussian that each new one was split from.

    Raises:
        KaldiError: there are more than `target` already.
    """
    if target < len(weights):
        raise KaldiError(f"Cannot split from {len(weights)} to {target} components; give a larger number to mix up to")
    if target == len(weights):
        warning("Already have the target # of Gaussians. Doing nothing.")
    shares = weights.astype(np.float64).tolist()
    parents: list[int] = []
    heap = [(-share, gauss) for gauss, share in enumerate(shares)]
    heapq.heapify(heap)
    for new in range(len(shares), target):
        _, parent = heap[0]
        shares[parent] /= 2
        shares.append(shares[parent])
        parents.append(parent)
        heapq.heapreplace(heap, (-shares[parent], parent))
        heapq.heappush(heap, (-shares[new], new))
    return np.array(shares), parents


def _origins(num_gauss: int, parents: list[int]) -> IndexArray:
    """For each Gaussian after the splits the one before them whose covariance it has."""
    origins = list(range(num_gauss))
    for parent in parents:
        origins.append(origins[parent])
    return np.array(origins, dtype=np.intp)


def _moved(means: Float32Array, parents: list[int], steps: Float64Array) -> Float64Array:
    """Each new Gaussian goes one way, the one that it was split from the other."""
    moved = np.concatenate([means.astype(np.float64), steps])
    for new, parent in enumerate(parents, len(means)):
        moved[new] += moved[parent]
        moved[parent] -= steps[new - len(means)]
    return moved
