"""What an extractor's use needs: the products that Kaldi calls derived variables, in float32, and the parameters.

Statistics are taken about the means that the prior gives, c_i = M_i p e_0, and vectors about p e_0. So the products
below are of numbers around 1, though p is 100, and float32 has an error of 6e-8 of each summand. Where the data
determine a vector, that keeps vectors and statistics within 1e-5 of float64; where they do not, `extractor_posterior`
computes the utterance's equation again from the parameters in float64, which are kept by reference for that. The golden
tolerance is 1e-4. U, the largest, takes half the memory of Kaldi's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import LOG_2PI, Float32Array, Float64Array, unpacked
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.posdef import lower_places

_BLOCK = 16  # Gaussians; 16 matrices of 400 x 400 are 20 MB


@dataclass(frozen=True)
class ExtractorTerms:
    """M Gaussians of F dimensions, vectors of I dimensions.

    Attributes:
        quadratic: float32 (M, I(I+1)/2), lower triangles of U_i = M_iᵀ Σ_i⁻¹ M_i.
        linear: float32 (M F, I), the matrices Σ_i⁻¹ M_i below one another.
        centres: float32 (M, F), the mean of each Gaussian for the prior's mean.
        projections: float64 (M, F, I), the extractor's own array, for equations of a high condition.
        inv_covars: float64 (M, F(F+1)/2), likewise.
        log_norms: float64 (M,), -(log |Σ_i| + F log 2π) / 2.
        weights: float64 (M,); (0,) if they depend on the vector.
        weight_projections: float64 (M, I); (0, 0) if the weights are constant.
        prior_offset: the mean of the vectors' first dimension.
    """

    quadratic: Float32Array
    linear: Float32Array
    centres: Float32Array
    projections: Float64Array
    inv_covars: Float64Array
    log_norms: Float64Array
    weights: Float64Array
    weight_projections: Float64Array
    prior_offset: float

    @property
    def num_gauss(self) -> int:
        """Number of Gaussians."""
        return self.centres.shape[0]

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return self.centres.shape[1]

    @property
    def ivector_dim(self) -> int:
        """Dimensions of the vectors."""
        return self.linear.shape[1]

    @property
    def has_weight_projections(self) -> bool:
        """Whether the Gaussians' weights depend on the vector."""
        return bool(self.weight_projections.size)

    def without_products(self) -> ExtractorTerms:
        """What the end of an accumulation needs: without the arrays of I dimensions that take most of the memory."""
        none = np.zeros((0, self.ivector_dim), dtype=np.float32)
        return replace(self, quadratic=none, linear=none, projections=np.zeros((0, self.dim, self.ivector_dim)))


def terms_of(extractor: IvectorExtractor) -> ExtractorTerms:
    """The terms of an extractor, by blocks of Gaussians, so that memory holds few matrices of (I, I).

    Raises:
        KaldiError: an inverse covariance is not positive definite, or a parameter is NaN.

    Source: IvectorExtractor::ComputeDerivedVars.
    """
    num_gauss, dim, ivector_dim = extractor.projections.shape
    quadratic = np.empty((num_gauss, ivector_dim * (ivector_dim + 1) // 2), dtype=np.float32)
    linear = np.empty((num_gauss, dim, ivector_dim), dtype=np.float32)
    log_norms = np.empty(num_gauss)
    for start in range(0, num_gauss, _BLOCK):
        block = slice(start, start + _BLOCK)
        factors = _factors(unpacked(extractor.inv_covars[block]), start)  # Σ⁻¹ = L Lᵀ
        log_norms[block] = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1) - 0.5 * dim * LOG_2PI
        whitened = factors.transpose(0, 2, 1) @ extractor.projections[block]  # (m, F, F) (m, F, I) -> (m, F, I)
        linear[block] = factors @ whitened
        _write_squares(whitened.astype(np.float32), quadratic[block])
    if not (np.isfinite(quadratic).all() and np.isfinite(linear).all()):
        raise KaldiError("the i-vector extractor holds NaN or infinity; train it again")
    return ExtractorTerms(
        quadratic,
        linear.reshape(num_gauss * dim, ivector_dim),
        (extractor.prior_offset * extractor.projections[:, :, 0]).astype(np.float32),
        extractor.projections,
        extractor.inv_covars,
        log_norms,
        extractor.weights,
        extractor.weight_projections,
        extractor.prior_offset,
    )


def _factors(precisions: Float64Array, first: int) -> Float64Array:
    """Cholesky factors (m, F, F); `first` is the number of the first Gaussian, for the message."""
    try:
        return np.asarray(np.linalg.cholesky(precisions))
    except np.linalg.LinAlgError as error:
        last = first + len(precisions) - 1
        raise KaldiError(
            f"i-vector extractor: an inverse covariance of Gaussians {first} to {last} is not positive definite"
        ) from error


def _write_squares(matrices: Float32Array, triangles: Float32Array) -> None:
    """Write the lower triangle of AᵀA of each matrix A; BLAS computes no more of it, in half the time of a product.

    Args:
        matrices: (m, F, I).
        triangles: (m, I(I+1)/2), is written.
    """
    from scipy.linalg.blas import ssyrk  # after the command line is checked: the import takes 0.1 s

    square = np.zeros((matrices.shape[2], matrices.shape[2]), dtype=np.float32)
    places = lower_places(len(square))
    for matrix, triangle in zip(matrices, triangles, strict=True):
        # BLAS is column-major: it sees the transposes, and its upper triangle is our lower one.
        ssyrk(1.0, matrix.T, beta=0.0, c=square.T, lower=0, overwrite_c=1)
        np.take(square.reshape(-1), places, out=triangle)
