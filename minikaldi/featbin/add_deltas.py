"""add-deltas: features with their time derivatives. Source: Kaldi, featbin/add-deltas.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.feat.deltas import DeltaOptions, add_deltas
from minikaldi.io import FLOAT_MATRIX


@dataclass
class AddDeltasOptions(DeltaOptions):
    """The derivatives, and the columns that they are computed of."""

    truncate: int = option(0, "If not 0, use only this many of the first columns")


@command(
    "add-deltas",
    usage="[options] in-rspecifier out-wspecifier",
    num_args=(2, 2),
    options=AddDeltasOptions,
    about="Append to features their time derivatives (deltas, delta-deltas …).",
)
def main(run: CommandRun, options: AddDeltasOptions, args: list[str]) -> int:
    """Extend each matrix of a table; an empty one is left out, with a warning. Returns 0 even if none is left."""
    with run.sequential(args[0], FLOAT_MATRIX) as feats, run.writer(args[1], FLOAT_MATRIX) as extended:
        for key, matrix in feats:
            if len(matrix) == 0:
                run.warning(f"Empty feature matrix for key {key}")
                continue
            extended.write(key, add_deltas(_truncated(key, matrix, options.truncate), options))
    return 0


def _truncated(key: str, feats: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The first `dim` columns, (T, F) -> (T, dim); all columns if `dim` is 0."""
    if dim == 0:
        return feats
    if not 0 < dim <= feats.shape[1]:
        raise KaldiError(f"{key}: --truncate={dim}, but the features have {feats.shape[1]} columns")
    return feats[:, :dim]
