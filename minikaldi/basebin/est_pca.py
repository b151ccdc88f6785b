"""est-pca: the principal components of frames or vectors, as a transform.

Differs from Kaldi: NaN and infinity are an error that names the entry. Rows may have the other sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.pca import SMALLEST_VARIANCE, compute_pca
from minikaldi.ivector.vectors import require_finite
from minikaldi.ivectorbin.log_format import vector_text
from minikaldi.options import CommandOptions

ROWS_PER_BLOCK = 1024  # added at once: one matrix product for many vectors

Rows = tuple[str, NDArray[np.float32]]


@dataclass
class EstPcaOptions(CommandOptions):
    """Options of est-pca."""

    binary: bool = option(True, "Write output in binary mode")
    dim: int = option(-1, "Feature dimension requested (if <= 0, uses full feature dimension)")
    normalize_mean: bool = option(False, "If true, output an affine transform that subtracts the data mean")
    normalize_variance: bool = option(False, "If true, make a transform that normalizes variance to one")
    read_vectors: bool = option(False, "If true, read in single vectors instead of feature matrices")
    write_full_matrix: str = option("", "Write full version of the matrix to this location (including rejected rows)")


@command(
    "est-pca",
    usage="[options] (<feature-rspecifier>|<vector-rspecifier>) <pca-matrix-out>",
    num_args=(2, 2),
    options=EstPcaOptions,
    about="Estimate a PCA transform of feature frames, or with --read-vectors=true of vectors.",
)
def main(run: CommandRun, options: EstPcaOptions, args: list[str]) -> int:
    """Source: bin/est-pca.cc."""
    moments = read_row_moments(run, args[0], options.read_vectors)
    dim = options.dim if options.dim > 0 else moments.dim
    if dim > moments.dim:
        raise KaldiError(f"--dim={dim} is out of range: {args[0]} has {moments.dim} dimensions; choose at most that")
    pca = compute_pca(moments)
    run.log(f"Eigenvalues in PCA are  {vector_text(pca.variances)}")
    kept = f"{pca.variances[:dim].sum():.6g}"
    run.log(f"Sum of PCA eigenvalues is {pca.variances.sum():.6g}, sum of kept eigenvalues is {kept}")
    num_tiny = int(np.count_nonzero(pca.variances < SMALLEST_VARIANCE))
    if options.normalize_variance and num_tiny:
        run.warning(f"--normalize-variance: {num_tiny} variances below {SMALLEST_VARIANCE:g} are treated as that")
    transform = pca.transform(options.normalize_mean, options.normalize_variance)
    if options.write_full_matrix:
        run.write_object(options.write_full_matrix, FLOAT_MATRIX, transform, options.binary)
    run.write_object(args[1], FLOAT_MATRIX, transform[:dim], options.binary)
    return 0


def read_row_moments(run: CommandRun, rspecifier: str, read_vectors: bool) -> Moments:
    """Moments of all rows of a table.

    An entry that is empty or of another dimension is counted and left out, with a warning.

    Raises:
        KaldiError: nothing was read, or an entry holds NaN.
    """
    moments: Moments | None = None
    block: list[NDArray[np.float32]] = []
    num_done = num_err = num_rows = 0
    for key, rows in entries(run, rspecifier, read_vectors):
        moments = moments or (Moments(rows.shape[1]) if rows.size else None)
        if moments is None or rows.size == 0:
            run.warning(f"{key}: empty {'input vector' if read_vectors else 'feature matrix'}")
            num_err += 1
        elif rows.shape[1] != moments.dim:
            run.warning(f"{key}: feature dimension mismatch {moments.dim} vs. {rows.shape[1]}")
            num_err += 1
        else:
            require_finite(f"{rspecifier}: {key}", rows)
            num_done += 1
            block.append(rows)
            num_rows += len(rows)
            if num_rows - moments.num_vectors >= ROWS_PER_BLOCK:
                add_block(moments, block)
    if moments is None:
        raise KaldiError(f"{rspecifier}: No data accumulated.")
    add_block(moments, block)
    what = "vectors, {} with errors." if read_vectors else "feature files, {} with errors; {} frames."
    run.log(f"Accumulated stats from {num_done} " + what.format(num_err, moments.num_vectors))
    return moments


def entries(run: CommandRun, rspecifier: str, read_vectors: bool) -> Iterator[Rows]:
    """Key and rows, float32 (N, D), of each matrix, or (1, D) of each vector."""
    if not read_vectors:
        with run.sequential(rspecifier, FLOAT_MATRIX) as matrices:
            yield from matrices
        return
    with run.sequential(rspecifier, FLOAT_VECTOR) as vectors:
        for key, vector in vectors:
            yield key, vector[None]


def add_block(moments: Moments, block: list[NDArray[np.float32]]) -> None:
    """Add the collected rows and empty the block."""
    if block:
        moments.add(np.concatenate(block))
        block.clear()
