"""ivector-normalize-length: scale every vector of a table to length sqrt(dim), or to length one.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_VECTOR
from minikaldi.ivector.vectors import length_ratios
from minikaldi.ivectorbin.vector_blocks import vector_blocks, write_block
from minikaldi.options import CommandOptions


@dataclass
class NormalizeLengthOptions(CommandOptions):
    """Options of ivector-normalize-length."""

    normalize: bool = option(True, "Set this to false to disable normalization")
    scaleup: bool = option(True, "If true, scale to length sqrt(dim), else to length one")


@command(
    "ivector-normalize-length",
    usage="[options] <ivector-rspecifier> <ivector-wspecifier>",
    num_args=(2, 2),
    options=NormalizeLengthOptions,
    about="Normalize the length of vectors to sqrt(dim).",
)
def main(run: CommandRun, options: NormalizeLengthOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-normalize-length.cc."""
    ratios: list[float] = []
    with run.writer(args[1], FLOAT_VECTOR) as normalized:
        for block in vector_blocks(run, args[0], any_dim=True):
            found = length_ratios(block.vectors, options.scaleup)
            ratios += found.tolist()
            for place in np.flatnonzero(found == 0.0):
                run.warning(f"Zero iVector for {block.keys[place]}, written as it is")
            scales = np.where(found == 0.0, 1.0, found)[:, None] if options.normalize else 1.0
            write_block(normalized, block.keys, block.vectors / scales)
    run.log(f"Processed {len(ratios)} iVectors.")
    if ratios:
        run.log(
            f"Average ratio of iVector to expected length was {np.mean(ratios):.6g}, standard deviation was "
            f"{np.std(ratios):.6g}"
        )
    return 0 if ratios else 1
