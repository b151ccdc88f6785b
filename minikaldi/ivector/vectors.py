"""Functions of single embeddings and of tables of them: length, affine transform, mean, paired products.

All functions take and return float64 and work on the last axis, so that they accept one vector (D,) or a table (N, D).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError

Float64Array = NDArray[np.float64]
IndexArray = NDArray[np.intp]

TRIALS_PER_BLOCK = 256  # 256 trials x 200 dims x 8 bytes x 2 sides stay in the cache; 16384 took five times as long


def require_finite(name: str, values: NDArray[np.floating]) -> None:
    """Refuse NaN and infinity.

    Raises:
        KaldiError: there is one; the text begins with `name`, that of the utterance or table.
    """
    if not np.isfinite(values).all():
        raise KaldiError(f"{name}: vector holds NaN or infinity; extract it again, or leave the utterance out")


def length_ratios(vectors: NDArray[np.floating], scale_up: bool = True) -> Float64Array:
    """Lengths of vectors, or their ratios to the length of a vector of unit variance.

    Args:
        vectors: (N, D).
        scale_up: divide by sqrt(D).

    Returns:
        (N,).

    Source: ivectorbin/ivector-normalize-length.cc, options --normalize and --scaleup.
    """
    values = np.asarray(vectors, dtype=np.float64)
    norms = np.sqrt(np.vecdot(values, values))
    return norms / np.sqrt(max(values.shape[1], 1)) if scale_up else norms


def apply_transform(transform: NDArray[np.floating], vectors: NDArray[np.floating]) -> Float64Array:
    """Linear or affine map of embeddings.

    Args:
        transform: (D', D), or (D', D + 1) whose last column is the offset.
        vectors: (D,) or (N, D).

    Returns:
        float64 (D',) or (N, D').

    Raises:
        KaldiError: the vectors have neither as many dimensions as the transform has columns nor one less.

    Source: bin/transform-vec.cc, ivectorbin/ivector-transform.cc.
    """
    matrix = np.asarray(transform, dtype=np.float64)
    values = np.asarray(vectors, dtype=np.float64)
    dim, columns = values.shape[-1], matrix.shape[1]
    if dim == columns:
        return values @ matrix.T
    if dim == columns - 1:
        return values @ matrix[:, :-1].T + matrix[:, -1]
    raise KaldiError(
        f"Dimension mismatch: input vector has dimension {dim} and transform has {columns} columns; "
        f"expected {columns} (linear) or {columns - 1} (affine): was the transform made from other embeddings?"
    )


def paired_products(
    left: NDArray[np.floating], right: NDArray[np.floating], left_index: IndexArray, right_index: IndexArray
) -> Float64Array:
    """Inner product of `left[left_index[i]]` and `right[right_index[i]]` for every trial i, in blocks.

    Args:
        left: (M, D).
        right: (K, D).
        left_index: (N,) rows of `left`.
        right_index: (N,) rows of `right`.

    Returns:
        float64 (N,). Memory is bounded by `TRIALS_PER_BLOCK` rows of each side for any N.
    """
    products = np.empty(len(left_index), dtype=np.float64)
    for start in range(0, len(left_index), TRIALS_PER_BLOCK):
        block = slice(start, start + TRIALS_PER_BLOCK)
        products[block] = np.vecdot(left[left_index[block]], right[right_index[block]])
    return products


def orient_rows(rows: Float64Array) -> Float64Array:
    """Give each row the sign that makes its largest entry positive.

    The sign of an eigenvector is arbitrary; a rule makes results equal across LAPACK builds.
    """
    largest = np.argmax(np.abs(rows), axis=1)
    signs = np.where(rows[np.arange(len(rows)), largest] < 0.0, -1.0, 1.0)
    return rows * signs[:, None]


SAME_SHARE = 1.0e-24  # variance below this share of the mean's square is rounding: float32 cannot differ by so little
NULL_SHARE = 1.0e-12  # so is variance below this share of all variance along the same direction


def varying_dims(variances: Float64Array, mean: Float64Array) -> NDArray[np.bool_]:
    """Whether each dimension (D,) differs between vectors, by their variances (D,) and mean (D,)."""
    varying: NDArray[np.bool_] = variances > SAME_SHARE * mean**2
    return varying


def spanned_dims(covariance: Float64Array, total_variances: Float64Array, mean: Float64Array) -> int:
    """The number of directions along which vectors with this covariance vary, 0 to D.

    Dimensions are first scaled to unit variance, so that their units do not count.

    Args:
        covariance: covariance (D, D) of the vectors, or a part of it, such as that within speakers.
        total_variances: variances (D,) of the vectors.
        mean: mean (D,) of the vectors.
    """
    scale = np.zeros_like(total_variances)
    varying = varying_dims(total_variances, mean)
    scale[varying] = 1.0 / np.sqrt(total_variances[varying])
    relative = covariance * np.outer(scale, scale)
    try:  # this takes a fifth of the time of eigenvalues
        np.linalg.cholesky(relative - NULL_SHARE * np.eye(len(relative)))
    except np.linalg.LinAlgError:
        return int(np.count_nonzero(np.linalg.eigvalsh(relative) > NULL_SHARE))
    return len(relative)
