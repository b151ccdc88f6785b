"""Statistics of frames under a diagonal mixture: their sum, their form in a file, and how they are accumulated.

Source: Kaldi gmm/mle-diag-gmm.cc (AccumDiagGmm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minikaldi.gmm.diag_likes import DiagScorer, block_rows
from minikaldi.gmm.flags import GmmFlags, needed_flags
from minikaldi.gmm.selection import (
    GaussPairs,
    frame_range,
    frame_slices,
    frame_starts,
    softmax_by_frame,
    softmax_rows,
    taken_for_ranges,
)
from minikaldi.gmm.stats_files import (
    StatsHeader,
    check_has_all,
    check_part,
    check_same_header,
    read_stats_header,
    write_stats_header,
    write_sums,
)
from minikaldi.gmm.threads import in_threads
from minikaldi.gmm.triangles import Float32Array, Float64Array
from minikaldi.io import (
    FrameIndices,
    Reader,
    Writer,
    read_binary_header,
    read_matrix,
    read_token,
    read_vector,
    write_binary_header,
    write_matrix,
    write_token,
)
from minikaldi.io.places import malformed

STATS_BLOCK_BYTES = 1 << 23  # of log-likelihoods; each block costs one addition to the sums of all Gaussians


@dataclass(frozen=True)
class DiagStats:
    """Sums over frames, each weighted by its share of a Gaussian; float64.

    Attributes:
        flags: which sums there are.
        dim: F.
        occupancy: (M,), sums of the shares.
        sums: (M, F), of the frames; (0, 0) without GmmFlags.MEANS.
        squares: (M, F), of their squares; (0, 0) without GmmFlags.VARIANCES.
    """

    flags: GmmFlags
    dim: int
    occupancy: Float64Array
    sums: Float64Array
    squares: Float64Array

    @property
    def header(self) -> StatsHeader:
        """Sizes and flags."""
        return self.dim, len(self.occupancy), self.flags

    def plus(self, other: DiagStats) -> DiagStats:
        """The statistics of both.

        Raises:
            KaldiError: other sizes or flags.
        """
        check_same_header(self.header, other.header)
        return DiagStats(
            self.flags,
            self.dim,
            self.occupancy + other.occupancy,
            self.sums + other.sums,
            self.squares + other.squares,
        )


class DiagStatsHolder:
    """Reads and writes statistics. Source: AccumDiagGmm::Read and AccumDiagGmm::Write."""

    what = "statistics of a diagonal GMM"

    def read(self, stream: Reader) -> DiagStats:
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
            "<DIAGVARACCS>": (num_gauss, dim) if flags & GmmFlags.VARIANCES else (0, 0),
        }
        parts: dict[str, Float64Array] = {}
        while (token := read_token(stream)) != "</GMMACCS>":
            if token not in shapes:
                raise malformed(stream, f"{self.what}: unexpected token {token[:80]!r}", back=len(token) + 1)
            read = read_vector if token == "<OCCUPANCY>" else read_matrix
            parts[token] = read(stream, binary, np.float64)
            check_part(token, parts[token].shape, shapes[token])
        check_has_all(parts, shapes)
        return DiagStats(flags, dim, *(parts[token] for token in shapes))

    def write(self, stream: Writer, value: DiagStats, binary: bool) -> None:
        """Write the statistics with their header."""
        write_binary_header(stream, binary)
        write_stats_header(stream, value.header, binary)
        write_sums(stream, value.occupancy, value.sums, binary)
        write_token(stream, "<DIAGVARACCS>")
        write_matrix(stream, value.squares.astype(np.float32), binary)
        write_token(stream, "</GMMACCS>")


def _zeros(num_gauss: int, dim: int, flags: GmmFlags) -> tuple[Float64Array, Float64Array]:
    """Sums and squares, empty where the flags lack them."""
    full, empty = (num_gauss, dim), (0, 0)
    return (
        np.zeros(full if flags & GmmFlags.MEANS else empty),
        np.zeros(full if flags & GmmFlags.VARIANCES else empty),
    )


class DiagAccumulator:
    """Adds up statistics under a model, about the model's mean, so that float32 products are precise enough.

    Args:
        scorer: of the model.
        flags: what the statistics are for.
    """

    def __init__(self, scorer: DiagScorer, flags: GmmFlags) -> None:
        self._scorer = scorer
        self.flags = needed_flags(flags)
        self._moments = np.zeros((scorer.num_gauss, 2 * scorer.dim + 1))  # of x, x² and 1

    def add(
        self,
        feats: Float32Array,
        weights: Float32Array | None = None,
        selection: FrameIndices | None = None,
        num_threads: int = 1,
    ) -> Float64Array:
        """Add frames.

        Args:
            feats: (T, F).
            weights: (T,) of the frames; None: 1.
            selection: the Gaussians of each frame; None: all.
            num_threads: blocks of frames that are computed at once; the sums do not depend on it.

        Returns:
            log-likelihood of each frame (T,), without its weight.
        """
        slices = frame_slices(len(feats), block_rows(self._scorer.num_gauss, STATS_BLOCK_BYTES))
        starts = None if selection is None else frame_starts(selection)

        def compute(frames: slice) -> tuple[Float64Array, Float32Array]:
            """The likelihoods and moments of a block."""
            some = None if selection is None or starts is None else frame_range(selection, starts, frames)
            return block_moments(self._scorer, feats[frames], None if weights is None else weights[frames], some)

        likes = np.empty(len(feats), np.float64)
        for frames, (of_block, moments) in zip(slices, in_threads(compute, slices, num_threads), strict=True):
            likes[frames] = of_block
            self._moments += moments
        return likes

    def stats(self) -> DiagStats:
        """The statistics so far, about 0."""
        dim, shift = self._scorer.dim, self._scorer.shift.astype(np.float64)
        sums, squares, occupancy = self._moments[:, :dim], self._moments[:, dim:-1], self._moments[:, -1]
        shifted = occupancy[:, None] * shift
        sums_of_all, squares_of_all = sums + shifted, squares + (2 * sums + shifted) * shift
        empty_sums, empty_squares = _zeros(0, 0, GmmFlags.ALL)
        return DiagStats(
            self.flags,
            dim,
            occupancy.copy(),
            sums_of_all if self.flags & GmmFlags.MEANS else empty_sums,
            squares_of_all if self.flags & GmmFlags.VARIANCES else empty_squares,
        )


def block_moments(
    scorer: DiagScorer, feats: Float32Array, weights: Float32Array | None, selection: FrameIndices | None
) -> tuple[Float64Array, Float32Array]:
    """Log-likelihoods of frames, and their moments under each Gaussian.

    Args:
        scorer: of the model.
        feats: (T, F).
        weights: (T,); None: 1.
        selection: the Gaussians of each frame; None: all.

    Returns:
        (T,), and (M, 2F + 1): sums of x - m, (x - m)² and 1, where m is the scorer's shift.
    """
    frames = scorer.expanded(feats)
    log_likes = scorer.log_likes_of(frames)
    if selection is None:
        likes, shares = softmax_rows(log_likes)
    else:
        pairs = GaussPairs(selection, scorer.num_gauss)
        rows = pairs.frames * scorer.num_gauss
        used = rows + taken_for_ranges(selection, pairs.starts)
        likes, some = softmax_by_frame(log_likes.reshape(-1)[used], pairs)
        shares = np.zeros_like(log_likes)
        np.add.at(shares.reshape(-1), rows + selection.indices, some)
    if weights is not None:
        shares *= weights[:, None]
    return likes, shares.T @ frames


DIAG_STATS = DiagStatsHolder()
