"""The maximum of tr(Mᵀ Σ⁻¹ Y) - ½ tr(Σ⁻¹ M Q Mᵀ) over M: Y Q⁻¹, done so that rounding cannot spoil it.

Q is scaled to a unit diagonal. Its eigenvalues below 1e-4 of the largest are raised to that, and a solution that is not
better than the old one is refused. Eigenvalues are computed only for a Q that may have one to raise: most have none,
and then a Cholesky factor, which takes a thirtieth of the time, gives the same.

Source: SolveQuadraticMatrixProblem and SolveQuadraticProblem in Kaldi matrix/sp-matrix.cc, with diagonal_precondition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minikaldi.gmm.triangles import Float64Array
from minikaldi.ivector.posdef import factor_in_place, is_positive_definite, solve_factored

LARGEST_CONDITION = 1.0e4
SMALLEST_EIGENVALUE = 1.0e-40
_TINY = float(np.finfo(np.float64).tiny) * 1.0e3


@dataclass(frozen=True)
class Solution:
    """The new M.

    Attributes:
        matrix: (F, I).
        product: (F, I), M Q.
        improvement: of the auxiliary function; 0 if the old M was kept.
    """

    matrix: Float64Array
    product: Float64Array
    improvement: float


def solve_quadratic(
    quadratic: Float64Array, linear: Float64Array, precision: Float64Array, start: Float64Array
) -> Solution:
    """The best M.

    Args:
        quadratic: (I, I), Q, symmetric with no negative eigenvalue.
        linear: (F, I), Y.
        precision: (F, F), Σ⁻¹.
        start: (F, I), the M of before.
    """
    start_product = start @ quadratic
    if not quadratic.any():
        return Solution(start, start_product, 0.0)
    scale = np.sqrt(np.maximum(np.diagonal(quadratic), _TINY))
    scaled = quadratic / scale / scale[:, None]
    if _needs_no_floor(scaled):
        matrix = (linear / scale).copy()
        factor_in_place(scaled)
        solve_factored(scaled, matrix)
        matrix /= scale
    else:
        matrix = start + _floored_solution(scaled, (linear - start_product) / scale) / scale
    product = matrix @ quadratic
    weighted = precision @ linear
    before = np.vdot(start, weighted) - 0.5 * np.vdot(precision @ start, start_product)
    after = np.vdot(matrix, weighted) - 0.5 * np.vdot(precision @ matrix, product)
    if after < before:
        return Solution(start, start_product, 0.0)
    return Solution(matrix, product, float(after - before))


def _needs_no_floor(scaled: Float64Array) -> bool:
    """Whether no eigenvalue is below the floor for certain: less the floor, the matrix is still positive definite.

    The largest eigenvalue is bounded by the largest sum of magnitudes in a row.
    """
    bound = float(np.abs(scaled).sum(axis=1).max())
    if not np.isfinite(bound):
        return False
    shifted = scaled.copy()
    np.fill_diagonal(shifted, np.diagonal(scaled) - max(SMALLEST_EIGENVALUE, bound / LARGEST_CONDITION))
    return is_positive_definite(shifted)


def _floored_solution(scaled: Float64Array, right: Float64Array) -> Float64Array:
    """`right` (F, I) times the inverse of the matrix with raised eigenvalues."""
    values, vectors = np.linalg.eigh(scaled)
    floor = max(SMALLEST_EIGENVALUE, float(values[-1]) / LARGEST_CONDITION)
    return np.asarray((right @ vectors / np.maximum(values, floor)) @ vectors.T)
