"""Stacks of positive definite matrices: Cholesky factors, solutions and inverses by LAPACK, in place.

numpy's own stacked functions copy each matrix and invert by LU, which takes three times as long; LAPACK's functions for
positive definite matrices are called here in the same way, once for each matrix of a stack. float64: the matrices may
have a condition of 1e6 and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError

Float64Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def lower_places(dim: int) -> NDArray[np.int64]:
    """The places of the lower triangle, row by row, in a (dim, dim) matrix that is one row of numbers."""
    rows, cols = np.tril_indices(dim)
    places = rows * dim + cols
    places.flags.writeable = False
    return places


@lru_cache(maxsize=8)
def diagonal_places(dim: int) -> NDArray[np.int64]:
    """The places of the diagonal in the lower triangle of a (dim, dim) matrix."""
    places = np.arange(dim) * (np.arange(dim) + 3) // 2
    places.flags.writeable = False
    return places


def lower_rows(packed: NDArray[np.floating], matrix: Float64Array) -> Iterator[int]:
    """Fill `matrix` (dim, dim) with the lower triangle of each row of `packed` (N, dim(dim+1)/2) in turn.

    What is above the diagonal is what the caller left there.

    Yields:
        the number of the row.
    """
    places, flat = lower_places(len(matrix)), matrix.reshape(-1)
    for row, values in enumerate(packed):
        flat[places] = values
        yield row


def factor_in_place(matrix: Float64Array) -> float:
    """Replace a symmetric matrix (dim, dim) by its Cholesky factor; only the lower triangle is read and written.

    Returns:
        the logarithm of its determinant.

    Raises:
        KaldiError: it is not positive definite.
    """
    potrf = _lapack("dpotrf")
    # The transpose of a row-major matrix is column-major, which LAPACK overwrites; its upper triangle is our lower one.
    _, info = potrf(matrix.T, lower=0, clean=0, overwrite_a=1)
    if info != 0:
        raise KaldiError(f"a matrix of {len(matrix)} x {len(matrix)} is not positive definite")
    return 2.0 * float(np.log(np.diagonal(matrix)).sum())


def solve_factored(factor: Float64Array, right: Float64Array) -> None:
    """Replace each row of `right` (N, dim) by its product with the inverse of a factored matrix (dim, dim)."""
    _lapack("dpotrs")(factor.T, right.T, lower=0, overwrite_b=1)


def invert_factored(factor: Float64Array) -> None:
    """Replace a factor (dim, dim) by the inverse of its matrix; only the lower triangle is written."""
    _lapack("dpotri")(factor.T, lower=0, overwrite_c=1)


def condition_of_factored(factor: Float64Array, norm: float) -> float:
    """An estimate of a factored matrix's condition, from its 1-norm; infinite if the matrix is singular or NaN."""
    reciprocal = float(_lapack("dpocon")(factor.T, norm, uplo="U")[0])
    return 1.0 / reciprocal if reciprocal > 0.0 else np.inf


def scaled_condition(factor: Float64Array, diagonal: NDArray[np.floating], scratch: Float64Array) -> float:
    """An estimate of the 1-norm of the inverse of a factored matrix (dim, dim) whose diagonal is scaled to 1.

    Such a matrix has an average eigenvalue of 1, so the norm is a condition.

    Args:
        factor: of the matrix before it is scaled.
        diagonal: (dim,), of that matrix.
        scratch: (dim, dim), is overwritten.
    """
    np.multiply(factor, 1.0 / np.sqrt(diagonal.astype(np.float64))[:, None], out=scratch)
    return condition_of_factored(scratch, 1.0)


def _lapack(name: str) -> Any:
    from scipy.linalg import lapack  # after the command line is checked: the import takes 0.1 s

    return getattr(lapack, name)
