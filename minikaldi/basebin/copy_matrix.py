"""copy-matrix. Source: Kaldi bin/copy-matrix.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, are_tables
from minikaldi.options import CommandOptions

LOG_FLOOR = np.float32(1e-20)

Matrix = npt.NDArray[np.float32]


@dataclass
class CopyMatrixOptions(CommandOptions):
    """The changes of each matrix: scaled, then one of the three functions, then raised to a power."""

    binary: bool = option(True, "Write in binary mode (only relevant if output is a file)")
    scale: float = option(1.0, "Scale the matrices by this number")
    apply_log: bool = option(False, "Take the log of each element, floored at 1e-20")
    apply_exp: bool = option(False, "Take the exponential of each element")
    apply_softmax_per_row: bool = option(False, "Take the softmax of each row")
    apply_power: float = option(1.0, "Raise each element to this power")


@command(
    "copy-matrix",
    usage="[options] <matrix-in-rspecifier> <matrix-out-wspecifier>\n"
    "or: copy-matrix [options] <matrix-in-rxfilename> <matrix-out-wxfilename>",
    num_args=(2, 2),
    options=CopyMatrixOptions,
    about="Copy matrices, possibly changing their format or their elements.",
)
def main(run: CommandRun, options: CopyMatrixOptions, args: list[str]) -> int:
    """Copy a table or a single matrix; returns 0 if at least one was copied."""
    if options.apply_log + options.apply_exp + options.apply_softmax_per_row > 1:
        raise KaldiError("only one of --apply-log, --apply-exp and --apply-softmax-per-row can be given")
    if not are_tables(*args):
        matrix = _changed(run, args[0], run.read_object(args[0], FLOAT_MATRIX), options)
        run.write_object(args[1], FLOAT_MATRIX, matrix, options.binary)
        run.log(f"Copied matrix to {args[1]}")
        return 0
    done = 0
    with run.sequential(args[0], FLOAT_MATRIX) as matrices, run.writer(args[1], FLOAT_MATRIX) as copies:
        for key, matrix in matrices:
            copies.write(key, _changed(run, key, matrix, options))
            done += 1
    run.log(f"Copied {done} matrices.")
    return 0 if done else 1


def _changed(run: CommandRun, name: str, matrix: Matrix, options: CopyMatrixOptions) -> Matrix:
    """The matrix after the options (rows, cols); `name` is its name in a warning about lost elements."""
    with np.errstate(all="ignore"):  # reported below, with the name
        changed = transformed(matrix, options)
    lost = int(np.isnan(changed).sum() - np.isnan(matrix).sum())
    if lost > 0:
        run.warning(f"{name}: {lost} elements have no value after the changes by the options, and are now NaN")
    return changed


def transformed(matrix: Matrix, options: CopyMatrixOptions) -> Matrix:
    """The matrix after the options, (rows, cols) float32."""
    if options.scale != 1.0:
        matrix = matrix * np.float32(options.scale)
    if options.apply_log:
        matrix = np.log(np.maximum(matrix, LOG_FLOOR))
    if options.apply_exp:
        matrix = np.exp(matrix)
    if options.apply_softmax_per_row and matrix.size:
        shifted = np.exp(matrix - matrix.max(axis=1, keepdims=True))
        matrix = shifted / shifted.sum(axis=1, keepdims=True)
    if options.apply_power != 1.0:
        matrix = np.power(matrix, np.float32(options.apply_power))
    return matrix
