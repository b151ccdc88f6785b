"""copy-vector. Source: Kaldi bin/copy-vector.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_VECTOR, are_tables
from minikaldi.options import CommandOptions


@dataclass
class CopyVectorOptions(CommandOptions):
    """The changes of each vector."""

    binary: bool = option(True, "Write in binary mode (only relevant if output is a file)")
    change_dim: int = option(-1, "If not -1, cut or zero-pad each vector to this dimension")
    scale: float = option(1.0, "Scale the output vectors by this number")


@command(
    "copy-vector",
    usage="[options] (<vector-in-rspecifier>|<vector-in-rxfilename>) (<vector-out-wspecifier>|<vector-out-wxfilename>)",
    num_args=(2, 2),
    options=CopyVectorOptions,
    about="Copy vectors, possibly changing their format, scale or dimension.",
)
def main(run: CommandRun, options: CopyVectorOptions, args: list[str]) -> int:
    """Copy a table or a single vector; returns 0 if at least one was copied."""
    if not are_tables(*args):
        vector = _changed(run.read_object(args[0], FLOAT_VECTOR), options)
        run.write_object(args[1], FLOAT_VECTOR, vector, options.binary)
        run.log(f"Copied vector to {args[1]}")
        return 0
    done = 0
    with run.sequential(args[0], FLOAT_VECTOR) as vectors, run.writer(args[1], FLOAT_VECTOR) as copies:
        for key, vector in vectors:
            copies.write(key, _changed(vector, options))
            done += 1
    run.log(f"Copied {done} vectors.")
    return 0 if done else 1


def _changed(vector: npt.NDArray[np.float32], options: CopyVectorOptions) -> npt.NDArray[np.float32]:
    """The vector, scaled, (dim,) -> (change_dim,) if that is set."""
    dim = vector.size if options.change_dim < 0 else options.change_dim
    resized = np.zeros(dim, dtype=np.float32)
    resized[: min(dim, vector.size)] = vector[:dim]
    with np.errstate(over="ignore", invalid="ignore"):  # infinite, as in Kaldi
        return resized * np.float32(options.scale)
