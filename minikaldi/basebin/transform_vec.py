"""transform-vec: a linear or affine map of every vector of a table.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.ivectorbin.vector_blocks import transformed_blocks, write_block
from minikaldi.options import NoOptions


@command(
    "transform-vec",
    usage="[options] <transform-rxfilename> <feats-rspecifier> <feats-wspecifier>",
    num_args=(3, 3),
    about="Apply a linear or affine transform to individual vectors.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Source: bin/transform-vec.cc."""
    transform = run.read_object(args[0], FLOAT_MATRIX)
    num_done = 0
    with run.writer(args[2], FLOAT_VECTOR) as transformed:
        for keys, vectors in transformed_blocks(run, transform, args[1]):
            write_block(transformed, keys, vectors)
            num_done += len(keys)
    run.log(f"Applied transform to {num_done} vectors.")
    return 0 if num_done else 1
