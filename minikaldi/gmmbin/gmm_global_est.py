"""gmm-global-est: a diagonal GMM from statistics.

Source: Kaldi gmmbin/gmm-global-est.cc.

Differs from Kaldi: while mixing up, the random directions are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_stats import DIAG_STATS
from minikaldi.gmm.diag_update import update_diag
from minikaldi.gmm.flags import parse_flags
from minikaldi.gmm.splitting import split_diag
from minikaldi.gmmbin.model_options import EstOptions

_SEED = 0


@dataclass
class DiagEstOptions(EstOptions):
    """Options of gmm-global-est."""

    min_variance: float = option(0.001, "Floor of the variances")


@command(
    "gmm-global-est",
    usage="[options] <model-in> <stats-in> <model-out>",
    num_args=(3, 3),
    options=DiagEstOptions,
    about="Estimate a diagonal-covariance GMM from the accumulated statistics.",
)
def main(run: CommandRun, options: DiagEstOptions, args: list[str]) -> int:
    """Update the model; then mix up, if asked to."""
    old = run.read_object(args[0], DIAG_GMM)
    stats = run.read_object(args[1], DIAG_STATS)
    gmm, done = update_diag(old, stats, parse_flags(options.update_flags), options.limits(), options.min_variance)
    done.log_all()
    if options.mix_up:
        gmm = split_diag(gmm, options.mix_up, options.perturb_factor, np.random.default_rng(_SEED))
    run.write_object(args[2], DIAG_GMM, gmm, options.binary)
    run.log(f"Written model to {args[2]}")
    return 0
