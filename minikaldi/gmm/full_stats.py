"""Statistics of frames under a full-covariance mixture: their sum, their form in a file, how they are accumulated.

Source: Kaldi gmm/mle-full-gmm.cc (AccumFullGmm). Here, as in Kaldi's files, the second moments are about each
Gaussian's own mean, not about 0; so nothing is lost where a mean is much larger than a deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minikaldi.gmm.flags import GmmFlags, needed_flags
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.selection import GaussPairs, frame_range, frame_slices, frame_starts, softmax_by_frame
from minikaldi.gmm.stats_files import (
    StatsHeader,
    check_has_all,
    check_part,
    check_same_header,
    read_stats_header,
    write_stats_header,
    write_sums,
)
from minikaldi.gmm.triangles import Float32Array, Float64Array, packed_of
from minikaldi.io import (
    FrameIndices,
    Reader,
    Writer,
    read_binary_header,
    read_matrix,
    read_token,
    read_vector,
    write_binary_header,
    write_token,
)
from minikaldi.io.packed import read_packed, write_packed
from minikaldi.io.places import malformed

_MOST_PAIRS = 1 << 22  # of frame and Gaussian at once: they need some 100 MB


@dataclass(frozen=True)
class FullStats:
    """Sums over frames, each weighted by its share of a Gaussian; float64.

    Attributes:
        flags: which sums there are.
        dim: F.
        occupancy: (M,), sums of the shares.
        sums: (M, F), of the frames; (0, 0) without GmmFlags.MEANS.
        scatter: (M, F(F+1)/2), lower triangles of the sums of (x - m)(x - m)ᵀ, m the mean of these frames; (0, 0)
            without GmmFlags.VARIANCES.
    """

    flags: GmmFlags
    dim: int
    occupancy: Float64Array
    sums: Float64Array
    scatter: Float64Array

    @property
    def header(self) -> StatsHeader:
        """Sizes and flags."""
        return self.dim, len(self.occupancy), self.flags

    def means(self) -> Float64Array:
        """The mean of each Gaussian's frames (M, F); 0 if it has none."""
        return self.sums / np.where(self.occupancy == 0, 1, self.occupancy)[:, None]

    def plus(self, other: FullStats) -> FullStats:
        """The statistics of both.

        Raises:
            KaldiError: other sizes or flags.
        """
        check_same_header(self.header, other.header)
        occupancy = self.occupancy + other.occupancy
        scatter = self.scatter + other.scatter
        if self.flags & GmmFlags.VARIANCES:
            gap = self.means() - other.means()
            shares = self.occupancy * other.occupancy / np.where(occupancy == 0, 1, occupancy)
            scatter += packed_of(outer(gap)) * shares[:, None]
        return FullStats(self.flags, self.dim, occupancy, self.sums + other.sums, scatter)


class FullStatsHolder:
    """Reads and writes statistics. Source: AccumFullGmm::Read and AccumFullGmm::Write."""

    what = "statistics of a full-covariance GMM"

    def read(self, stream: Reader) -> FullStats:
        """Read the statistics that start here.

        Raises:
            KaldiError: none, or truncated, or of other sizes than the header claims.
        """
        binary = read_binary_header(stream)
        dim, num_gauss, flags = read_stats_header(stream, binary)
        flags = needed_flags(flags)
        shapes = {
            "<OCCUPANCY>": (num_gauss,),
            "<MEANACCS>": (num_gauss, dim) if flags & GmmFlags.MEANS else (0, 0),
        }
        if flags & GmmFlags.VARIANCES:
            shapes["<FULLVARACCS>"] = (num_gauss, dim * (dim + 1) // 2)
        parts: dict[str, Float64Array] = {}
        while (token := read_token(stream)) != "</GMMACCS>":
            if token not in shapes:
                raise malformed(stream, f"{self.what}: unexpected token {token[:80]!r}", back=len(token) + 1)
            parts[token] = _read_part(stream, binary, token, num_gauss)
            check_part(token, parts[token].shape, shapes[token])
        check_has_all(parts, shapes)
        scatter = parts.get("<FULLVARACCS>", np.zeros((0, 0)))
        return FullStats(flags, dim, parts["<OCCUPANCY>"], parts["<MEANACCS>"], scatter)

    def write(self, stream: Writer, value: FullStats, binary: bool) -> None:
        """Write the statistics with their header."""
        write_binary_header(stream, binary)
        write_stats_header(stream, value.header, binary)
        write_sums(stream, value.occupancy, value.sums, binary)
        if value.flags & GmmFlags.VARIANCES:
            write_token(stream, "<FULLVARACCS>")
            for packed in value.scatter.astype(np.float32):
                write_packed(stream, packed, binary)
        write_token(stream, "</GMMACCS>")


def _read_part(stream: Reader, binary: bool, token: str, num_gauss: int) -> Float64Array:
    """The array after a token."""
    if token == "<OCCUPANCY>":
        return read_vector(stream, binary, np.float64)
    if token == "<MEANACCS>":
        return read_matrix(stream, binary, np.float64)
    triangles: list[Float64Array] = []
    for gauss in range(num_gauss):
        triangles.append(read_packed(stream, binary, np.float64))
        check_part(f"{token} of Gaussian {gauss}", triangles[-1].shape, triangles[0].shape)
    return np.array(triangles)


class FullAccumulator:
    """Adds up statistics under a model, about the model's means, so that float32 products are precise enough.

    Args:
        scorer: of the model.
        flags: what the statistics are for.
    """

    def __init__(self, scorer: FullScorer, flags: GmmFlags) -> None:
        self._scorer = scorer
        self.flags = needed_flags(flags)
        self._occupancy = np.zeros(scorer.num_gauss)
        self._sums = np.zeros((scorer.num_gauss, scorer.dim))  # of x - μ
        with_second = bool(self.flags & GmmFlags.VARIANCES)
        self._products = np.zeros((scorer.num_gauss, scorer.dim, scorer.dim) if with_second else (0, 0, 0))

    def add(
        self, feats: Float32Array, weights: Float32Array | None = None, selection: FrameIndices | None = None
    ) -> Float64Array:
        """Add frames.

        Args:
            feats: (T, F).
            weights: (T,) of the frames; None: 1.
            selection: the Gaussians of each frame; None: all.

        Returns:
            log-likelihood of each frame (T,), without its weight.
        """
        num_gauss = self._scorer.num_gauss
        starts = None if selection is None else frame_starts(selection)
        per_frame = num_gauss if selection is None else len(selection.indices) // max(1, len(feats))
        likes = np.empty(len(feats), np.float64)
        for frames in frame_slices(len(feats), max(1, _MOST_PAIRS // max(1, per_frame))):
            some = (
                all_of(frames.stop - frames.start, num_gauss)
                if selection is None or starts is None
                else frame_range(selection, starts, frames)
            )
            likes[frames] = self._add_block(feats[frames], None if weights is None else weights[frames], some)
        return likes

    def _add_block(self, feats: Float32Array, weights: Float32Array | None, selection: FrameIndices) -> Float64Array:
        """As `add`, of all frames at once."""
        pairs = GaussPairs(selection, self._scorer.num_gauss)
        likes, shares = softmax_by_frame(self._scorer.pair_log_likes(feats, pairs), pairs)
        if weights is not None:
            shares *= weights[pairs.frames]
        # The product of a matrix with its own transpose is half the work of a product of two matrices.
        roots = np.sqrt(np.abs(shares))
        signs = np.sign(shares) if (shares < 0).any() else None  # of weights below 0
        self._occupancy += np.bincount(pairs.selection.indices, shares, minlength=len(self._occupancy))
        for group in self._scorer.groups(feats, pairs):
            own = roots[group.pairs]
            weighted = np.multiply(group.centred, own[:, None], out=group.centred)
            signed = weighted if signs is None else weighted * signs[group.pairs, None]
            self._sums[group.gauss] += own @ signed
            if len(self._products):
                self._products[group.gauss] += weighted.T @ signed
        return likes

    def stats(self) -> FullStats:
        """The statistics so far."""
        occupancy = self._occupancy.copy()
        sums = self._sums + occupancy[:, None] * self._scorer.means
        scatter = empty = np.zeros((0, 0))
        if self.flags & GmmFlags.VARIANCES:
            shares = 1 / np.where(occupancy == 0, 1, occupancy)
            scatter = packed_of(self._products) - packed_of(outer(self._sums)) * shares[:, None]
        return FullStats(
            self.flags, self._scorer.dim, occupancy, sums if self.flags & GmmFlags.MEANS else empty, scatter
        )


def outer(vectors: Float64Array) -> Float64Array:
    """x xᵀ (n, F, F) of each row (n, F)."""
    return vectors[:, :, None] * vectors[:, None, :]


def all_of(num_frames: int, num_gauss: int) -> FrameIndices:
    """The selection of all Gaussians for each frame."""
    every = np.arange(num_gauss, dtype=np.int32)
    return FrameIndices(np.full(num_frames, num_gauss, np.int32), np.tile(every, num_frames))


FULL_STATS = FullStatsHolder()
