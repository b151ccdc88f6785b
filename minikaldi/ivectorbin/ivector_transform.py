"""ivector-transform: a linear or affine map of every vector of a table, with figures on the outcome."""

from __future__ import annotations

import numpy as np

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.ivector.vectors import apply_transform
from minikaldi.options import NoOptions


@command(
    "ivector-transform",
    usage="[options] <matrix-in> <ivector-rspecifier> <ivector-wspecifier>",
    num_args=(3, 3),
    about="Multiply vectors (on the left) by a transformation matrix.",
)
def main(run: Run, options: NoOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-transform.cc."""
    transform = run.read_object(args[0], FLOAT_MATRIX)
    dim = len(transform)
    total, energy, num_done = np.zeros(dim), 0.0, 0
    with run.sequential(args[1], FLOAT_VECTOR) as vectors, run.writer(args[2], FLOAT_VECTOR) as transformed:
        for key, vector in vectors:
            try:
                result = apply_transform(transform, vector)
            except KaldiError as error:
                raise KaldiError(f"{key}: {error}") from error
            transformed.write(key, result)
            total += result
            energy += float(result @ result)
            num_done += 1
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
