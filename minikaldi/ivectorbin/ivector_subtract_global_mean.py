"""ivector-subtract-global-mean: the mean of a table, or a given one, taken off every vector.

Differs from Kaldi: of its own mean, a vector that holds NaN or infinity is an error that names it; Kaldi goes on with
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.io import DOUBLE_VECTOR, FLOAT_VECTOR
from minikaldi.ivector.vectors import require_finite
from minikaldi.options import option

Entry = tuple[str, NDArray[np.float32]]


@dataclass
class SubtractMeanOptions:
    """Options of ivector-subtract-global-mean."""

    subtract_mean: bool = option(True, "If true, subtract the mean; if false, just copy the input")


@command(
    "ivector-subtract-global-mean",
    usage="<ivector-rspecifier> <ivector-wspecifier>\n"
    "or: ivector-subtract-global-mean <mean-rxfilename> <ivector-rspecifier> <ivector-wspecifier>",
    num_args=(2, 3),
    options=SubtractMeanOptions,
    about="Subtract from vectors their own mean (2 arguments), or a mean from a file (3).",
)
def main(run: Run, options: SubtractMeanOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-subtract-global-mean.cc."""
    if len(args) == 2:
        entries, mean = read_all_and_mean(run, args[0])
        num_done = write_centred(run, entries, mean if options.subtract_mean else 0.0, args[1])
    else:
        mean = run.read_object(args[0], DOUBLE_VECTOR)
        with run.sequential(args[1], FLOAT_VECTOR) as vectors:
            num_done = write_centred(run, vectors, mean if options.subtract_mean else 0.0, args[2])
    run.log(f"Wrote {num_done} mean-subtracted iVectors")
    return 0 if num_done else 1


def read_all_and_mean(run: Run, rspecifier: str) -> tuple[list[Entry], NDArray[np.float64]]:
    """All entries of a table, kept in their order, and their mean (D,)."""
    with run.sequential(rspecifier, FLOAT_VECTOR) as vectors:
        entries = list(vectors)
    if not entries:
        raise KaldiError(f"{rspecifier}: No iVectors read")
    total = np.zeros(entries[0][1].size)
    for key, vector in entries:
        require_finite(key, vector)  # one NaN would spread to every vector
        total += _same_dim(key, vector, total.size)
    mean = total / len(entries)
    run.log(f"Read {len(entries)} iVectors.")
    run.log(f"Norm of iVector mean was {np.linalg.norm(mean):.6g}")
    return entries, mean


def write_centred(run: Run, entries: Iterable[Entry], mean: NDArray[np.float64] | float, wspecifier: str) -> int:
    """Write every vector less `mean` (a zero for none); returns how many."""
    num_done = 0
    with run.writer(wspecifier, FLOAT_VECTOR) as centred:
        for key, vector in entries:
            if isinstance(mean, np.ndarray):
                _same_dim(key, vector, mean.size)
            centred.write(key, vector - mean)
            num_done += 1
    return num_done


def _same_dim(key: str, vector: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    if vector.size != dim:
        raise KaldiError(f"{key}: vector has {vector.size} dimensions, expected {dim}, those of the mean")
    return vector
