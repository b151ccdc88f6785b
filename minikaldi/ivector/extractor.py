"""The i-vector extractor: each Gaussian's mean is a linear function of one vector for each utterance.

The mean of Gaussian i is M_i w, its covariance Σ_i. The prior of w is N(p e_0, I): its first dimension carries the
means of the UBM, so there is no separate offset. The Gaussians' weights are constant, or log-linear in w.

Source: N. Dehak et al., "Front-End Factor Analysis for Speaker Verification", IEEE TASLP 2011; Kaldi's
ivector/ivector-extractor.{h,cc}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.full_gmm import FullGmm
from minikaldi.gmm.triangles import Float64Array

FIRST_OFFSET = 100.0  # Kaldi's; a new extractor's first column is the UBM's mean over this


@dataclass(frozen=True)
class IvectorExtractor:
    """M Gaussians of F dimensions, vectors of I dimensions; all arrays are float64.

    Attributes:
        projections: (M, F, I), the matrices M_i.
        inv_covars: (M, F(F+1)/2), lower triangles of the inverse covariances.
        weights: (M,); (0,) if the weights depend on the vector.
        weight_projections: (M, I), the log-weights are its product with w, less a constant; (0, 0) if the weights are
            constant.
        prior_offset: p, the mean of the first dimension.
    """

    projections: Float64Array
    inv_covars: Float64Array
    weights: Float64Array
    weight_projections: Float64Array
    prior_offset: float

    def __post_init__(self) -> None:
        num_gauss, dim, ivector_dim = self.projections.shape
        triangle = dim * (dim + 1) // 2
        weights = {"weights": self.weights.shape, "weight projections": self.weight_projections.shape}
        expected = {"weights": (0,), "weight projections": (num_gauss, ivector_dim)}
        if not self.has_weight_projections:
            expected = {"weights": (num_gauss,), "weight projections": (0, 0)}
        if self.inv_covars.shape != (num_gauss, triangle) or weights != expected:
            raise KaldiError(
                f"i-vector extractor of {num_gauss} Gaussians, {dim} x {ivector_dim}, has inverse covariances of "
                f"{self.inv_covars.shape}, {weights}; expected ({num_gauss}, {triangle}), {expected}"
            )

    @property
    def num_gauss(self) -> int:
        """Number of Gaussians."""
        return self.projections.shape[0]

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return self.projections.shape[1]

    @property
    def ivector_dim(self) -> int:
        """Dimensions of the vectors."""
        return self.projections.shape[2]

    @property
    def has_weight_projections(self) -> bool:
        """Whether the Gaussians' weights depend on the vector."""
        return bool(self.weight_projections.size)


def initial_extractor(ubm: FullGmm, ivector_dim: int, use_weights: bool, rng: np.random.Generator) -> IvectorExtractor:
    """A new extractor: the UBM's Gaussians, and random directions of normal entries.

    Args:
        ubm: the full-covariance mixture.
        ivector_dim: dimensions of the vectors, at least 1.
        use_weights: whether the weights will depend on the vector; at first they are equal.
        rng: random numbers.

    Source: the constructor IvectorExtractor(opts, fgmm).
    """
    projections = rng.standard_normal((ubm.num_gauss, ubm.dim, ivector_dim))
    projections[:, :, 0] = ubm.means() / FIRST_OFFSET
    return IvectorExtractor(
        projections,
        ubm.inv_covars.astype(np.float64),
        np.zeros(0) if use_weights else ubm.weights.astype(np.float64),
        np.zeros((ubm.num_gauss, ivector_dim)) if use_weights else np.zeros((0, 0)),
        FIRST_OFFSET,
    )


def transformed_extractor(extractor: IvectorExtractor, transform: Float64Array, offset: float) -> IvectorExtractor:
    """The equal model of vectors that are multiplied by `transform` (I, I), with a new prior offset.

    The projections are changed in place: they are the largest array.

    Source: IvectorExtractor::TransformIvectors.
    """
    inverse = np.linalg.inv(transform)
    for projection in extractor.projections:
        projection[:] = projection @ inverse
    weights = extractor.weight_projections
    return replace(extractor, weight_projections=weights @ inverse if weights.size else weights, prior_offset=offset)
