"""ivector-transform: a linear or affine map of every vector of a table, with figures about the result.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

import numpy as np

from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.ivectorbin.vector_blocks import transformed_blocks, write_block
from minikaldi.options import NoOptions


@command(
    "ivector-transform",
    usage="[options] <matrix-in> <ivector-rspecifier> <ivector-wspecifier>",
    num_args=(3, 3),
    about="Multiply vectors (on the left) by a transformation matrix.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-transform.cc."""
    transform = run.read_object(args[0], FLOAT_MATRIX)
    dim = len(transform)
    total, energy, num_done = np.zeros(dim), 0.0, 0
    with run.writer(args[2], FLOAT_VECTOR) as transformed:
        for keys, vectors in transformed_blocks(run, transform, args[1]):
            write_block(transformed, keys, vectors)
            total += vectors.sum(axis=0)
            energy += float(np.vdot(vectors, vectors))
            num_done += len(keys)
    run.log(f"Processed {num_done} iVectors.")
    if num_done:
        mean = total / num_done
        variance = energy / num_done - float(mean @ mean)
        spread = np.sqrt(max(variance, 0.0) / dim)
        run.log(
            f"Norm of mean was {np.linalg.norm(mean):.6g} (should be close to zero), length divided by sqrt(dim) was "
            f"{spread:.6g} (should probably be close to one)"
        )
    return 0 if num_done else 1
