"""Log-likelihoods of frames under diagonal Gaussians, all at once, and the best Gaussians of each frame.

log p(x, g) = c_g + Σ x μ/v - Σ x²/(2v) is one product of the frames' [x, x², 1] with a matrix of the model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.gmm.diag_gmm import DiagGmm
from minikaldi.gmm.selection import frame_slices, frame_starts, softmax_rows, taken_for_ranges
from minikaldi.gmm.triangles import Float32Array, Float64Array, IndexArray
from minikaldi.io import FrameIndices

BLOCK_BYTES = 1 << 21  # of log-likelihoods: they stay in the processor's cache from the product to the selection
_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)
_SIGN = np.uint32(1 << 31)


class DiagScorer:
    """Log-likelihoods under a model.

    Args:
        gmm: the model.

    Attributes:
        num_gauss: M.
        dim: F.
        shift: (F,), the mean of the model; it is subtracted from frames and means, for precise float32 products.
    """

    def __init__(self, gmm: DiagGmm) -> None:
        self.num_gauss = gmm.num_gauss
        self.dim = gmm.dim
        means, inverse = gmm.means(), gmm.inv_vars.astype(np.float64)
        weights = gmm.weights.astype(np.float64)
        self.shift = (weights @ means / weights.sum()).astype(np.float32)
        centred = means - self.shift
        consts = gmm.gconsts + 0.5 * ((means**2 - centred**2) * inverse).sum(axis=1)
        # (2F + 1, M)
        self._matrix = np.concatenate([(centred * inverse).T, -0.5 * inverse.T, consts[None]]).astype(np.float32)

    def expanded(self, feats: Float32Array) -> Float32Array:
        """[x, x², 1] (T, 2F + 1) of frames (T, F), after the shift.

        Raises:
            KaldiError: the frames are not of the model's dimension.
        """
        check_dim(feats, self.dim)
        out = np.empty((len(feats), 2 * self.dim + 1), np.float32)
        centred = out[:, : self.dim]
        np.subtract(feats, self.shift, out=centred)
        np.multiply(centred, centred, out=out[:, self.dim : -1])
        out[:, -1] = 1
        return out

    def log_likes_of(self, frames: Float32Array) -> Float32Array:
        """Log-likelihoods (T, M) of expanded frames (T, 2F + 1); each with the weight of its Gaussian."""
        return frames @ self._matrix

    def log_likes(self, feats: Float32Array) -> Float32Array:
        """Log-likelihoods (T, M) of frames (T, F)."""
        return self.log_likes_of(self.expanded(feats))

    def select(self, feats: Float32Array, count: int) -> tuple[FrameIndices, Float64Array]:
        """The best Gaussians of each frame, from best to worst.

        Args:
            feats: (T, F).
            count: how many; at most M.

        Returns:
            the Gaussians, and the log of the sum of their likelihoods (T,).

        Raises:
            KaldiError: a likelihood is NaN; the text names the frame.
        """
        chosen = np.empty((len(feats), count), np.int32)
        likes = np.empty(len(feats), np.float64)
        for frames in frame_slices(len(feats), block_rows(self.num_gauss, BLOCK_BYTES)):
            chosen[frames], best = best_of_rows(self.log_likes(feats[frames]), count, frames.start)
            likes[frames], _ = softmax_rows(best)
        return FrameIndices(np.full(len(feats), count, np.int32), chosen.reshape(-1)), likes

    def select_among(
        self, feats: Float32Array, candidates: FrameIndices, count: int
    ) -> tuple[FrameIndices, Float64Array]:
        """As `select`, of each frame's candidates alone; a frame with fewer candidates keeps them all."""
        kept: list[NDArray[np.int32]] = []
        likes = np.empty(len(feats), np.float64)
        starts = frame_starts(candidates)
        used = taken_for_ranges(candidates, starts)
        for frames in frame_slices(len(feats), block_rows(self.num_gauss, BLOCK_BYTES)):
            log_likes = self.log_likes(feats[frames])
            for row, frame in enumerate(range(frames.start, frames.stop)):
                own = slice(starts[frame], starts[frame + 1])
                values = log_likes[row, used[own]]
                if np.isnan(values).any():
                    raise not_numbers(frame)
                keys = np.sort(sort_keys(values, candidates.indices[own]))[::-1][:count]
                kept.append((keys & _LOW).astype(np.int32))
                likes[frame] = softmax_rows(_values_of(keys)[None])[0][0]
        counts = np.minimum(candidates.counts, count).astype(np.int32)
        return FrameIndices(counts, np.concatenate(kept) if kept else np.zeros(0, np.int32)), likes


def block_rows(num_gauss: int, block_bytes: int) -> int:
    """How many frames' log-likelihoods are computed at once."""
    return max(16, block_bytes // (4 * num_gauss))


def best_of_rows(values: Float32Array, count: int, first_frame: int = 0) -> tuple[NDArray[np.int32], Float32Array]:
    """The columns (T, count) of the largest values of each row (T, M), largest first, and these values (T, count).

    Of equal values the one with the larger column comes first, as in Kaldi.

    Args:
        values: (T, M).
        count: how many columns, at most M.
        first_frame: number of the first row, for the message.

    Raises:
        KaldiError: a value is NaN.
    """
    num_rows, width = values.shape
    if count < width:
        largest = np.partition(values, width - count, axis=1)[:, width - count :]  # NaN is sorted to the end
        _check_rows(largest, first_frame)
        flat = np.flatnonzero(values >= largest[:, :1])  # of one dimension: of two it takes ten times as long
        keys = sort_keys(values.reshape(-1)[flat], flat % width)
        keys = keys.reshape(-1, count) if len(flat) == count * num_rows else _without_ties(keys, flat // width, count)
    else:
        _check_rows(values, first_frame)
        keys = sort_keys(values, np.arange(count))
    keys.sort(axis=1)
    keys = keys[:, ::-1]
    return (keys & _LOW).astype(np.int32), _values_of(keys)


def not_numbers(frame: int) -> KaldiError:
    """The error of a frame with a likelihood of NaN."""
    return KaldiError(
        f"the likelihoods of frame {frame} are not numbers: overflow, or invalid variances or features; check the "
        "frame, and the model with gmm-global-copy --binary=false"
    )


def _check_rows(values: Float32Array, first_frame: int) -> None:
    wrong = np.isnan(values)
    if wrong.any():
        raise not_numbers(first_frame + int(wrong.any(axis=1).argmax()))


def sort_keys(values: Float32Array, columns: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Integers that are ordered by value and then by column; a float's bits are ordered like its magnitude."""
    bits = values.view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | _SIGN)
    return (ordered.astype(np.uint64) << _HALF) | columns.astype(np.uint64)


def _values_of(keys: NDArray[np.uint64]) -> Float32Array:
    ordered = (keys >> _HALF).astype(np.uint32)
    return np.where(ordered >> 31, ordered ^ _SIGN, ~ordered).view(np.float32)


def _without_ties(keys: NDArray[np.uint64], rows: IndexArray, count: int) -> NDArray[np.uint64]:
    """The `count` largest keys of each row, where some rows have more since several Gaussians are equally likely."""
    order = np.lexsort((keys, rows))
    ends = np.cumsum(np.bincount(rows))
    return keys[order][ends[:, None] - np.arange(count, 0, -1)]


def check_dim(feats: Float32Array, dim: int) -> None:
    """Check the dimension of frames.

    Raises:
        KaldiError: it is not that of the model.
    """
    if feats.shape[1] != dim:
        raise KaldiError(
            f"the features have {feats.shape[1]} dimensions, the model {dim}; "
            "make them with the options that the model was trained with"
        )
