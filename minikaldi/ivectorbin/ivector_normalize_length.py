"""ivector-normalize-length: every vector of a table scaled to length sqrt(dim), or to length one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minikaldi.command import Run, command
from minikaldi.io import FLOAT_VECTOR
from minikaldi.ivector.vectors import length_ratio
from minikaldi.options import option


@dataclass
class NormalizeLengthOptions:
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
def main(run: Run, options: NormalizeLengthOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-normalize-length.cc."""
    ratios: list[float] = []
    with run.sequential(args[0], FLOAT_VECTOR) as vectors, run.writer(args[1], FLOAT_VECTOR) as normalized:
        for key, vector in vectors:
            ratio = length_ratio(vector, options.scaleup)
            ratios.append(ratio)
            if ratio == 0.0:
                run.warning(f"Zero iVector for {key}, written as it is")
            elif options.normalize:
                vector = vector / ratio
            normalized.write(key, vector)
    run.log(f"Processed {len(ratios)} iVectors.")
    if ratios:
        run.log(
            f"Average ratio of iVector to expected length was {np.mean(ratios):.6g}, standard deviation was "
            f"{np.std(ratios):.6g}"
        )
    return 0 if ratios else 1
