"""Symmetric matrices as lower triangles, row by row: Kaldi's order in memory and in files."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IndexArray = NDArray[np.intp]
LOG_2PI = float(np.log(2 * np.pi))


@lru_cache(maxsize=8)
def triangle_indices(dim: int) -> tuple[IndexArray, IndexArray]:
    """Row and column of each element of the lower triangle of (F, F), two arrays (F(F+1)/2,)."""
    rows, cols = np.tril_indices(dim)
    rows.flags.writeable = cols.flags.writeable = False
    return rows, cols


@lru_cache(maxsize=8)
def _places(dim: int) -> IndexArray:
    """For each element of (F, F) its place in the lower triangle."""
    places = np.empty((dim, dim), dtype=np.intp)
    rows, cols = triangle_indices(dim)
    places[rows, cols] = places[cols, rows] = np.arange(rows.size)
    return places


def packed_of(matrices: NDArray[np.floating]) -> NDArray[np.floating]:
    """Lower triangles (…, F(F+1)/2) of symmetric matrices (…, F, F), in their type."""
    rows, cols = triangle_indices(matrices.shape[-1])
    return matrices[..., rows, cols]


def unpacked(packed: NDArray[np.floating]) -> Float64Array:
    """Symmetric matrices (…, F, F), float64, of lower triangles (…, F(F+1)/2)."""
    count = packed.shape[-1]
    dim = int((np.sqrt(8 * count + 1) - 1) / 2 + 0.5)
    return packed.astype(np.float64, copy=False)[..., _places(dim)]


def check_triangle(packed: NDArray[np.floating], dim: int, what: str) -> None:
    """Check the size of a lower triangle.

    Raises:
        KaldiError: it is not that of (dim, dim).
    """
    if packed.shape[-1] != dim * (dim + 1) // 2:
        raise KaldiError(
            f"{what} has {packed.shape[-1]} elements; expected {dim * (dim + 1) // 2} for {dim} dimensions"
        )


def as_float32(
    first: NDArray[np.floating], second: NDArray[np.floating], third: NDArray[np.floating]
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Three arrays in the type of Kaldi's files; copies only where it is another."""
    return (
        first.astype(np.float32, copy=False),
        second.astype(np.float32, copy=False),
        third.astype(np.float32, copy=False),
    )


def finite_or_lowest(values: Float64Array) -> Float32Array:
    """As float32; what is infinite, or too large for it, is -inf, as Kaldi's constants of such Gaussians are."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(np.isposinf(rounded), np.float32(-np.inf), rounded)
