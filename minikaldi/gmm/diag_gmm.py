"""A mixture of Gaussians with diagonal covariances: its parameters as Kaldi stores them, and their form in a file.

Source: Kaldi gmm/diag-gmm.{h,cc}. A file is `<DiagGMM> <GCONSTS> … <WEIGHTS> … <MEANS_INVVARS> … <INV_VARS> …
</DiagGMM>`; the constants are optional and are computed again when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.model_files import check_parts, line_end, read_end, read_start, read_weights
from minikaldi.gmm.triangles import LOG_2PI, Float32Array, Float64Array, as_float32, finite_or_lowest
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

_TOKENS = ("<DiagGMM>", "<DiagGMMBegin>", "</DiagGMM>", "</DiagGMMEnd>")


@dataclass(frozen=True)
class DiagGmm:
    """M Gaussians of F dimensions; all arrays are float32, as in Kaldi's files.

    Attributes:
        weights: (M,), their sum is 1.
        means_invvars: (M, F), the means over the variances.
        inv_vars: (M, F), one over the variances.
        gconsts: (M,), the part of the log-likelihood that does not depend on the frame.
    """

    weights: Float32Array
    means_invvars: Float32Array
    inv_vars: Float32Array
    gconsts: Float32Array

    @property
    def num_gauss(self) -> int:
        """Number of Gaussians."""
        return len(self.weights)

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return self.means_invvars.shape[1]

    def variances(self) -> Float64Array:
        """The variances (M, F)."""
        return 1 / self.inv_vars.astype(np.float64)

    def means(self) -> Float64Array:
        """The means (M, F)."""
        return self.means_invvars * self.variances()


def diag_gmm(
    weights: NDArray[np.floating], means_invvars: NDArray[np.floating], inv_vars: NDArray[np.floating]
) -> DiagGmm:
    """A model of weights (M,), means over variances (M, F) and inverse variances (M, F), with its constants.

    Raises:
        KaldiError: a constant is NaN.
    """
    parts = as_float32(weights, means_invvars, inv_vars)
    return DiagGmm(*parts, _gconsts(*parts))


def diag_gmm_of_moments(
    weights: NDArray[np.floating], means: NDArray[np.floating], variances: NDArray[np.floating]
) -> DiagGmm:
    """The model with these weights (M,), means (M, F) and variances (M, F)."""
    return diag_gmm(weights, means / variances, 1 / variances)


def _gconsts(weights: Float32Array, means_invvars: Float32Array, inv_vars: Float32Array) -> Float32Array:
    """log w - (F log 2π + Σ log v + Σ μ²/v) / 2 of each Gaussian; -inf for a weight of 0. float64 inside.

    Source: DiagGmm::ComputeGconsts.
    """
    with np.errstate(all="ignore"):
        inverse = inv_vars.astype(np.float64)
        gconsts = np.log(weights.astype(np.float64)) - 0.5 * (
            inverse.shape[1] * LOG_2PI - np.log(inverse).sum(axis=1) + (means_invvars**2 / inverse).sum(axis=1)
        )
    if np.isnan(gconsts).any():
        raise KaldiError(
            f"diagonal GMM: the constant of Gaussian {int(np.isnan(gconsts).argmax())} is NaN; its inverse variances "
            "must be positive and its weight not negative"
        )
    return finite_or_lowest(gconsts)


class DiagGmmHolder:
    """Reads and writes a model. Source: DiagGmm::Read and DiagGmm::Write."""

    what = "diagonal GMM"

    def read(self, stream: Reader) -> DiagGmm:
        """Read the model that starts here; its constants are computed.

        Raises:
            KaldiError: no model, a truncated one, or one whose parts do not fit together.
        """
        binary = read_binary_header(stream)
        read_start(stream, _TOKENS)
        weights = read_weights(stream, binary)
        expect_token(stream, "<MEANS_INVVARS>")
        means_invvars = read_matrix(stream, binary)
        expect_token(stream, "<INV_VARS>")
        inv_vars = read_matrix(stream, binary)
        read_end(stream, _TOKENS)
        check_parts(self.what, weights, means_invvars, inv_vars)
        return diag_gmm(weights, means_invvars, inv_vars)

    def write(self, stream: Writer, value: DiagGmm, binary: bool) -> None:
        """Write the model with its header."""
        write_binary_header(stream, binary)
        write_token(stream, "<DiagGMM>")
        line_end(stream, binary)
        for token, vector in (("<GCONSTS>", value.gconsts), ("<WEIGHTS>", value.weights)):
            write_token(stream, token)
            write_vector(stream, vector, binary)
        for token, matrix in (("<MEANS_INVVARS>", value.means_invvars), ("<INV_VARS>", value.inv_vars)):
            write_token(stream, token)
            write_matrix(stream, matrix, binary)
        write_token(stream, "</DiagGMM>")
        line_end(stream, binary)


DIAG_GMM = DiagGmmHolder()
