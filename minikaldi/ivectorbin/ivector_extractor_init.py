"""ivector-extractor-init: an i-vector extractor with random directions, from a full-covariance UBM.

Differs from Kaldi: its random numbers are seeded, so every call gives the same extractor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.ivector.extractor import initial_extractor
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.options import CommandOptions

_SEED = 0


@dataclass
class ExtractorFormOptions(CommandOptions):
    """Options of ivector-extractor-init; ivector-extractor-copy accepts them without effect, as in Kaldi."""

    ivector_dim: int = option(400, "Dimension of iVector")
    num_iters: int = option(2, "Number of iterations in iVector estimation; no effect, as in Kaldi")
    use_weights: bool = option(True, "If true, regress the log-weights on the iVector")
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-extractor-init",
    usage="[options] <fgmm-in> <ivector-extractor-out>",
    num_args=(2, 2),
    options=ExtractorFormOptions,
    about="Initialize an i-vector extractor from a full-covariance GMM.",
)
def main(run: CommandRun, options: ExtractorFormOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extractor-init.cc."""
    if options.ivector_dim < 1:
        raise KaldiError(f"--ivector-dim={options.ivector_dim} is out of range: expected an integer >= 1")
    ubm = run.read_object(args[0], FULL_GMM)
    extractor = initial_extractor(ubm, options.ivector_dim, options.use_weights, np.random.default_rng(_SEED))
    run.write_object(args[1], EXTRACTOR, extractor, options.binary)
    run.log(f"Initialized iVector extractor with iVector dimension {extractor.ivector_dim} and wrote it to {args[1]}")
    return 0
