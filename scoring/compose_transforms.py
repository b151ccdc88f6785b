"""Two transforms of vectors as one, for steps/train_backend.sh: LDA after PCA."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from minikaldi.io import FLOAT_MATRIX, read_object, write_object
from minikaldi.running import run_pipes_inside

USAGE = "python3 -m scoring.compose_transforms <second-matrix> <first-matrix> <matrix-out>"
ABOUT = "Write the transform that does the first, linear one and then the second, linear or affine."


def composed(second: NDArray[np.floating], first: NDArray[np.floating]) -> NDArray[np.float64]:
    """The transform that applies `first`, then `second`.

    Args:
        second: (L, d), or affine (L, d + 1) with the offset in the last column.
        first: (d, D).

    Returns:
        float64 (L, D), or (L, D + 1) if `second` is affine.

    Raises:
        InputError: the shapes do not fit.
    """
    rows, columns = first.shape[0], second.shape[1]
    if columns not in (rows, rows + 1):
        raise InputError(f"the first transform gives {rows} dimensions, the second takes {columns - 1} or {columns}")
    linear = second[:, :rows].astype(np.float64) @ first.astype(np.float64)
    return np.column_stack([linear, second[:, rows:]])


def main(argv: Sequence[str]) -> int:
    """Command line."""
    run_pipes_inside()
    parser = Parser(USAGE, ABOUT)
    for name in ("second", "first", "out"):
        parser.add_argument(name)
    options = parser.parse(argv)
    second, first = read_object(options.second, FLOAT_MATRIX), read_object(options.first, FLOAT_MATRIX)
    write_object(options.out, FLOAT_MATRIX, composed(second, first))
    return 0


if __name__ == "__main__":
    run_program(main)
