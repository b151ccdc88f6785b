"""transform-vec: a linear or affine map of every vector of a table."""

from __future__ import annotations

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.ivector.vectors import apply_transform
from minikaldi.options import NoOptions


@command(
    "transform-vec",
    usage="[options] <transform-rxfilename> <feats-rspecifier> <feats-wspecifier>",
    num_args=(3, 3),
    about="Apply a linear or affine transform to individual vectors.",
)
def main(run: Run, options: NoOptions, args: list[str]) -> int:
    """Source: bin/transform-vec.cc."""
    transform = run.read_object(args[0], FLOAT_MATRIX)
    num_done = 0
    with run.sequential(args[1], FLOAT_VECTOR) as vectors, run.writer(args[2], FLOAT_VECTOR) as transformed:
        for key, vector in vectors:
            try:
                transformed.write(key, apply_transform(transform, vector))
            except KaldiError as error:
                raise KaldiError(f"{key}: {error}") from error
            num_done += 1
    run.log(f"Applied transform to {num_done} vectors.")
    return 0 if num_done else 1
