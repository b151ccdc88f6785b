"""The maximum of tr(Mᵀ Σ⁻¹ Y) - ½ tr(Σ⁻¹ M Q Mᵀ) over M: Y Q⁻¹, done so that rounding cannot spoil it.

Q is scaled to a unit diagonal. Its eigenvalues below 1e-4 of the largest are raised to that, and a solution that is not
better than the old one is refused. Eigenvalues are computed only for a Q that may have one to raise: most have none,
and then a Cholesky factor, which takes a thirtieth of the time, gives the same. Two tests say that there is none: an
estimate of the condition from the factor, which costs nothing beside it, and then a second factor, of Q less the floor.

Source: SolveQuadraticMatrixProblem and SolveQuadraticProblem in Kaldi matrix/sp-matrix.cc, with diagonal_precondition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float64Array
from minikaldi.ivector.posdef import condition_of_factored, factor_in_place, solve_factored

LARGEST_CONDITION = 1.0e4
_CERTAIN_CONDITION = 1.0e3  # the estimate is hardly ever too low by a factor of more than 3
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
    scale = 1.0 / np.sqrt(np.maximum(np.diagonal(quadratic), _TINY))
    scaled = quadratic * scale
    scaled *= scale[:, None]
    factor = _factor_without_floor(scaled)
    if factor is not None:
        matrix = linear * scale
        solve_factored(factor, matrix)
        matrix *= scale
        product = linear
    else:
        matrix = start + _floored_solution(scaled, (linear - start_product) * scale) * scale
        product = matrix @ quadratic
    weighted = precision @ linear
    before = np.vdot(start, weighted) - 0.5 * np.vdot(precision @ start, start_product)
    after = np.vdot(matrix, weighted) - 0.5 * np.vdot(precision @ matrix, product)
    if after < before:
        return Solution(start, start_product, 0.0)
    return Solution(matrix, product, float(after - before))


def _factor_without_floor(scaled: Float64Array) -> Float64Array | None:
    """The Cholesky factor of a matrix of unit diagonal; None if an eigenvalue may be below the floor.

    The largest eigenvalue is bounded by the largest sum of magnitudes in a row. If the matrix less the floor of that
    bound is still positive definite, no eigenvalue is below the floor.
    """
    bound = float(np.abs(scaled).sum(axis=1).max())
    try:
        factor = scaled.copy()
        factor_in_place(factor)
        if condition_of_factored(factor, bound) > _CERTAIN_CONDITION:
            shifted = scaled.copy()
            shifted.reshape(-1)[:: len(scaled) + 1] -= max(SMALLEST_EIGENVALUE, bound / LARGEST_CONDITION)
            factor_in_place(shifted)
    except KaldiError:
        return None
    return factor


def _floored_solution(scaled: Float64Array, right: Float64Array) -> Float64Array:
    """`right` (F, I) times the inverse of the matrix with raised eigenvalues."""
    values, vectors = np.linalg.eigh(scaled)
    floor = max(SMALLEST_EIGENVALUE, float(values[-1]) / LARGEST_CONDITION)
    return np.asarray((right @ vectors / np.maximum(values, floor)) @ vectors.T)
