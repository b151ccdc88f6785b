"""The form of an extractor's statistics in a file: `<IvectorExtractorStats> … </IvectorExtractorStats>`.

All is double but R and Q, which are float. Statistics can be added as they are read, so that a sum holds one set.
Source: IvectorExtractorStats::Read and IvectorExtractorStats::Write in ivector/ivector-extractor.cc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.io import (
    Reader,
    Writer,
    expect_token,
    read_binary_header,
    read_float,
    read_int32,
    read_matrix,
    read_vector,
    write_binary_header,
    write_float,
    write_int32,
    write_matrix,
    write_token,
    write_vector,
)
from minikaldi.io.matrices import converted, read_matrix_header
from minikaldi.io.packed import read_packed, write_packed
from minikaldi.io.places import malformed
from minikaldi.io.primitives import read_array
from minikaldi.ivector.extractor_stats import ExtractorStats
from minikaldi.ivectorbin.extractor_holder import read_matrices, read_triangles

_BLOCK_ROWS = 32  # of R; 32 rows of 400-dimensional vectors are 10 MB


class ExtractorStatsHolder:
    """Reads and writes statistics; R and Q stay float32, as they are in the file."""

    what = "statistics of an i-vector extractor"

    def read(self, stream: Reader) -> ExtractorStats:
        """Read the statistics that start here.

        Raises:
            KaldiError: no statistics, truncated ones, or ones whose parts do not fit together.
        """
        binary = read_binary_header(stream)
        expect_token(stream, "<IvectorExtractorStats>")
        expect_token(stream, "<TotAuxf>")
        auxf = read_float(stream, binary)
        expect_token(stream, "<gamma>")
        counts = read_vector(stream, binary, np.float64)
        expect_token(stream, "<Y>")
        linear = read_matrices(stream, binary, "Y")
        ivector_dim = linear.shape[2]
        expected = (len(linear), ivector_dim * (ivector_dim + 1) // 2)
        expect_token(stream, "<R>")
        quadratic = _read_rows(stream, binary, "R", [expected])
        expect_token(stream, "<Q>")
        weight_quadratic = _read_rows(stream, binary, "Q", [expected, (0, 0)])
        expect_token(stream, "<G>")
        weight_linear = read_matrix(stream, binary, np.float64)
        scatter = _read_scatter(stream, binary)
        stats = ExtractorStats(
            auxf, counts, linear, quadratic, weight_quadratic, weight_linear, scatter, *_read_prior(stream, binary)
        )
        stats.check()
        return stats

    def write(self, stream: Writer, value: ExtractorStats, binary: bool) -> None:
        """Write the statistics with their header."""
        write_binary_header(stream, binary)
        write_token(stream, "<IvectorExtractorStats>")
        write_token(stream, "<TotAuxf>")
        write_float(stream, value.auxf, binary, double=True)
        write_token(stream, "<gamma>")
        write_vector(stream, value.counts, binary)
        write_token(stream, "<Y>")
        write_int32(stream, len(value.linear), binary)
        for matrix in value.linear:
            write_matrix(stream, matrix, binary)
        for token, rows in (("<R>", value.quadratic), ("<Q>", value.weight_quadratic)):
            write_token(stream, token)
            write_matrix(stream, rows.astype(np.float32, copy=False), binary)
        write_token(stream, "<G>")
        write_matrix(stream, value.weight_linear, binary)
        write_token(stream, "<S>")
        write_int32(stream, len(value.scatter), binary)
        for triangle in value.scatter:
            write_packed(stream, triangle, binary)
        write_token(stream, "<NumIvectors>")
        write_float(stream, value.num_ivectors, binary, double=True)
        write_token(stream, "<IvectorSum>")
        write_vector(stream, value.ivector_sum, binary)
        write_token(stream, "<IvectorScatter>")
        write_packed(stream, value.ivector_scatter, binary)
        write_token(stream, "</IvectorExtractorStats>")


class AddingHolder(ExtractorStatsHolder):
    """Adds the statistics that it reads to a sum, part by part, without a second set in memory.

    Attributes:
        total: the sum so far, with R and Q in float64; None before the first.
    """

    def __init__(self) -> None:
        self.total: ExtractorStats | None = None

    def read(self, stream: Reader) -> ExtractorStats:
        """Read the statistics that start here, add them, and return the sum.

        Raises:
            KaldiError: as `ExtractorStatsHolder.read`, or they are of another size than those before. The sum is then
                of no use.
        """
        if self.total is None:
            self.total = super().read(stream)
            self.total.quadratic = self.total.quadratic.astype(np.float64)
            self.total.weight_quadratic = self.total.weight_quadratic.astype(np.float64)
            return self.total
        total, binary = self.total, read_binary_header(stream)
        expect_token(stream, "<IvectorExtractorStats>")
        expect_token(stream, "<TotAuxf>")
        total.auxf += read_float(stream, binary)
        expect_token(stream, "<gamma>")
        _add(total.counts, read_vector(stream, binary, np.float64), "gamma")
        expect_token(stream, "<Y>")
        _check_count(stream, binary, total.linear, "Y")
        for matrix in total.linear:
            _add(matrix, read_matrix(stream, binary, np.float64), "Y")
        for token, rows in (("<R>", total.quadratic), ("<Q>", total.weight_quadratic)):
            expect_token(stream, token)
            start = 0
            for block in _row_blocks(stream, binary, token.strip("<>"), [rows.shape]):
                rows[start : start + len(block)] += block
                start += len(block)
        expect_token(stream, "<G>")
        _add(total.weight_linear, read_matrix(stream, binary, np.float64), "G")
        expect_token(stream, "<S>")
        _check_count(stream, binary, total.scatter, "S")
        for triangle in total.scatter:
            _add(triangle, read_packed(stream, binary, np.float64), "S")
        num_ivectors, ivector_sum, ivector_scatter = _read_prior(stream, binary)
        total.num_ivectors += num_ivectors
        _add(total.ivector_sum, ivector_sum, "IvectorSum")
        _add(total.ivector_scatter, ivector_scatter, "IvectorScatter")
        return total


def _read_scatter(stream: Reader, binary: bool) -> NDArray[np.float64]:
    expect_token(stream, "<S>")
    count = read_int32(stream, binary)
    if count < 0:
        raise malformed(stream, f"the header claims {count} matrices (S)", 5 if binary else 0)
    return read_triangles(stream, binary, count, "S")


def _read_prior(stream: Reader, binary: bool) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Number, sum and second moments of the vectors, and the end of the statistics."""
    expect_token(stream, "<NumIvectors>")
    num_ivectors = read_float(stream, binary)
    expect_token(stream, "<IvectorSum>")
    ivector_sum = read_vector(stream, binary, np.float64)
    expect_token(stream, "<IvectorScatter>")
    ivector_scatter = read_packed(stream, binary, np.float64)
    expect_token(stream, "</IvectorExtractorStats>")
    return num_ivectors, ivector_sum, ivector_scatter


def _read_rows(stream: Reader, binary: bool, what: str, expected: list[tuple[int, ...]]) -> NDArray[np.float32]:
    """A matrix of one of the expected shapes, float32, read by blocks of rows into one array."""
    rows: NDArray[np.float32] | None = None
    start = 0
    for block in _row_blocks(stream, binary, what, expected):
        if rows is None:
            rows = np.empty(expected[0], dtype=np.float32)
        rows[start : start + len(block)] = converted(block, np.float32)
        start += len(block)
    return np.zeros((0, 0), dtype=np.float32) if rows is None else rows


def _row_blocks(stream: Reader, binary: bool, what: str, expected: list[tuple[int, ...]]) -> Iterator[NDArray[Any]]:
    """The rows of a matrix, in blocks; of text, in one.

    Raises:
        KaldiError: its shape is none of those expected.
    """
    if not binary:
        matrix = read_matrix(stream, binary, np.float32)
        _check_shape(matrix.shape, expected, what)
        if matrix.size:
            yield matrix
        return
    kind, rows, cols = read_matrix_header(stream)
    _check_shape((rows, cols), expected, what)
    for start in range(0, rows, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, rows - start)
        yield read_array(stream, kind, count * cols, f"{what}, {rows} x {cols}").reshape(count, cols)


def _check_shape(found: tuple[int, ...], expected: list[tuple[int, ...]], what: str) -> None:
    if found not in expected:
        raise KaldiError(f"{what} has the shape {found}; expected {' or '.join(map(str, expected))}: is it damaged?")


def _check_count(stream: Reader, binary: bool, total: NDArray[np.float64], what: str) -> None:
    count = read_int32(stream, binary)
    if count != len(total):
        raise KaldiError(f"{what} has {count} matrices, that of the statistics before {len(total)}; {_OTHER_MODEL}")


def _add(total: NDArray[np.float64], more: NDArray[np.float64], what: str) -> None:
    if total.shape != more.shape:
        raise KaldiError(
            f"{what} has the shape {more.shape}, that of the statistics before {total.shape}; {_OTHER_MODEL}"
        )
    total += more


_OTHER_MODEL = "were they accumulated with another extractor or other options?"
EXTRACTOR_STATS = ExtractorStatsHolder()
