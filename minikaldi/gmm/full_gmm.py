"""A mixture of Gaussians with full covariances: its parameters as Kaldi stores them, and their form in a file.

Source: Kaldi gmm/full-gmm.{h,cc}. A file is `<FullGMM> <GCONSTS> … <WEIGHTS> … <MEANS_INVCOVARS> … <INV_COVARS> …
</FullGMM>`; the constants are optional and are computed again when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.model_files import check_parts, line_end, read_end, read_start, read_weights
from minikaldi.gmm.triangles import (
    LOG_2PI,
    Float32Array,
    Float64Array,
    as_float32,
    check_triangle,
    finite_or_lowest,
    packed_of,
    unpacked,
)
from minikaldi.io import (
    Reader,
    Writer,
    expect_token,
    read_binary_header,
    read_matrix,
    write_binary_header,
    write_matrix,
    write_token,
    write_vector,
)
from minikaldi.io.packed import read_packed, write_packed

_ALL = slice(None)
_TOKENS = ("<FullGMM>", "<FullGMMBegin>", "</FullGMM>", "</FullGMMEnd>")


@dataclass(frozen=True)
class FullGmm:
    """M Gaussians of F dimensions; all arrays are float32, as in Kaldi's files.

    Attributes:
        weights: (M,), their sum is 1.
        means_invcovars: (M, F), the inverse covariance times the mean.
        inv_covars: (M, F(F+1)/2), lower triangles of the inverse covariances, row by row.
        gconsts: (M,), the part of the log-likelihood that does not depend on the frame.
    """

    weights: Float32Array
    means_invcovars: Float32Array
    inv_covars: Float32Array
    gconsts: Float32Array

    @property
    def num_gauss(self) -> int:
        """Number of Gaussians."""
        return len(self.weights)

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return self.means_invcovars.shape[1]

    def covars(self) -> Float64Array:
        """The covariances (M, F, F)."""
        return np.asarray(np.linalg.inv(unpacked(self.inv_covars)), dtype=np.float64)

    def means(self, some: NDArray[np.bool_] | slice = _ALL) -> Float64Array:
        """The means (M, F), or those of some Gaussians."""
        scaled = self.means_invcovars[some].astype(np.float64)[:, :, None]
        return np.asarray(np.linalg.solve(unpacked(self.inv_covars[some]), scaled)[:, :, 0], dtype=np.float64)


def full_gmm(
    weights: NDArray[np.floating], means_invcovars: NDArray[np.floating], inv_covars: NDArray[np.floating]
) -> FullGmm:
    """A model, with its constants.

    Args:
        weights: (M,).
        means_invcovars: (M, F).
        inv_covars: (M, F(F+1)/2), lower triangles.

    Raises:
        KaldiError: shapes that do not fit, or a Gaussian whose inverse covariance is not positive definite.
    """
    parts = as_float32(weights, means_invcovars, inv_covars)
    return FullGmm(*parts, _gconsts(*parts))


def full_gmm_of_moments(
    weights: NDArray[np.floating], means: NDArray[np.floating], covars: NDArray[np.floating]
) -> FullGmm:
    """The model with these weights (M,), means (M, F) and covariances (M, F, F); errors as `full_gmm`."""
    inverses = np.linalg.inv(covars.astype(np.float64, copy=False))
    inverses = (inverses + inverses.transpose(0, 2, 1)) / 2
    return full_gmm(weights, (inverses @ means[:, :, None])[:, :, 0], packed_of(inverses))


def _gconsts(weights: Float32Array, means_invcovars: Float32Array, inv_covars: Float32Array) -> Float32Array:
    """log w - (F log 2π + log |Σ| + μᵀ Σ⁻¹ μ) / 2 of each Gaussian; -inf for a weight of 0. float64 inside.

    Source: FullGmm::ComputeGconsts.
    """
    with np.errstate(all="ignore"):
        precisions = unpacked(inv_covars)
        try:
            factors = np.linalg.cholesky(precisions)
            whitened = np.linalg.solve(factors, means_invcovars.astype(np.float64)[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError as exc:
            raise KaldiError(
                f"full-covariance GMM: the inverse covariance of Gaussian {_first_indefinite(precisions)} is not "
                "positive definite; train it with more frames, or with a higher --variance-floor"
            ) from exc
        log_dets = 2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        logs = np.log(weights.astype(np.float64))
        gconsts = logs - 0.5 * (means_invcovars.shape[1] * LOG_2PI - log_dets + (whitened**2).sum(axis=1))
    if np.isnan(gconsts).any():
        raise KaldiError(
            f"full-covariance GMM: the constant of Gaussian {int(np.isnan(gconsts).argmax())} is NaN; its weight must "
            "not be negative, and all its numbers finite"
        )
    return finite_or_lowest(gconsts)


def _first_indefinite(precisions: Float64Array) -> int:
    """The first matrix that is not positive definite; NaN counts."""
    for gauss, matrix in enumerate(precisions):
        if not np.isfinite(matrix).all() or np.linalg.eigvalsh(matrix)[0] <= 0:
            return gauss
    return len(precisions) - 1


class FullGmmHolder:
    """Reads and writes a model. Source: FullGmm::Read and FullGmm::Write."""

    what = "full-covariance GMM"

    def read(self, stream: Reader) -> FullGmm:
        """Read the model that starts here; its constants are computed.

        Raises:
            KaldiError: no model, a truncated one, or one whose parts do not fit together.
        """
        binary = read_binary_header(stream)
        read_start(stream, _TOKENS)
        weights = read_weights(stream, binary)
        expect_token(stream, "<MEANS_INVCOVARS>")
        means_invcovars = read_matrix(stream, binary)
        expect_token(stream, "<INV_COVARS>")
        check_parts(self.what, weights, means_invcovars)
        inv_covars = np.empty((weights.size, means_invcovars.shape[1] * (means_invcovars.shape[1] + 1) // 2), "f4")
        for gauss in range(weights.size):
            packed = read_packed(stream, binary)
            check_triangle(packed, means_invcovars.shape[1], f"inverse covariance of Gaussian {gauss}")
            inv_covars[gauss] = packed
        read_end(stream, _TOKENS)
        return full_gmm(weights, means_invcovars, inv_covars)

    def write(self, stream: Writer, value: FullGmm, binary: bool) -> None:
        """Write the model with its header."""
        write_binary_header(stream, binary)
        write_token(stream, "<FullGMM>")
        line_end(stream, binary)
        for token, vector in (("<GCONSTS>", value.gconsts), ("<WEIGHTS>", value.weights)):
            write_token(stream, token)
            write_vector(stream, vector, binary)
        write_token(stream, "<MEANS_INVCOVARS>")
        write_matrix(stream, value.means_invcovars, binary)
        write_token(stream, "<INV_COVARS>")
        for packed in value.inv_covars:
            write_packed(stream, packed, binary)
        write_token(stream, "</FullGMM>")
        line_end(stream, binary)


FULL_GMM = FullGmmHolder()
