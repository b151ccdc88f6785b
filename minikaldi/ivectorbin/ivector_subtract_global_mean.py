"""ivector-subtract-global-mean: subtract the mean of a table, or a given one, from every vector.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import DOUBLE_VECTOR, FLOAT_VECTOR
from minikaldi.ivector.vectors import require_finite
from minikaldi.ivectorbin.vector_blocks import VectorBlock, vector_blocks, write_block
from minikaldi.options import CommandOptions


@dataclass
class SubtractMeanOptions(CommandOptions):
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
def main(run: CommandRun, options: SubtractMeanOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-subtract-global-mean.cc."""
    if len(args) == 2:
        blocks = list(vector_blocks(run, args[0]))
        mean = mean_of(run, blocks, args[0])
        num_done = write_centred(run, blocks, mean if options.subtract_mean else None, args[0], args[1])
    else:
        mean = run.read_object(args[0], DOUBLE_VECTOR)
        require_finite(args[0], mean)
        given = vector_blocks(run, args[1], any_dim=True)
        num_done = write_centred(run, given, mean if options.subtract_mean else None, args[1], args[2])
    run.log(f"Wrote {num_done} mean-subtracted iVectors")
    return 0 if num_done else 1


def mean_of(run: CommandRun, blocks: list[VectorBlock], rspecifier: str) -> NDArray[np.float64]:
    """Mean (D,) of all vectors.

    Raises:
        KaldiError: there are no vectors.
    """
    if not blocks:
        raise KaldiError(f"{rspecifier}: No iVectors read")
    num_vectors = sum(len(block.keys) for block in blocks)
    mean = np.sum([block.vectors.sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / num_vectors
    run.log(f"Read {num_vectors} iVectors.")
    run.log(f"Norm of iVector mean was {np.linalg.norm(mean):.6g}")
    return mean


def write_centred(
    run: CommandRun, blocks: Iterable[VectorBlock], mean: NDArray[np.float64] | None, rspecifier: str, wspecifier: str
) -> int:
    """Write every vector of a table less `mean`, if it is given; returns their number.

    Raises:
        KaldiError: a vector does not have the dimension of the mean.
    """
    num_done = 0
    with run.writer(wspecifier, FLOAT_VECTOR) as centred:
        for block in blocks:
            dim = block.vectors.shape[1]
            if mean is not None and dim != mean.size:
                where = f"{rspecifier}: {block.keys[0]}"
                raise KaldiError(f"{where}: vector has {dim} dimensions, expected {mean.size}, those of the mean")
            write_block(centred, block.keys, block.vectors if mean is None else block.vectors - mean)
            num_done += len(block.keys)
    return num_done
