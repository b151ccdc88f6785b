"""fgmm-global-est: a full-covariance GMM from statistics.

Source: Kaldi fgmmbin/fgmm-global-est.cc.

Differs from Kaldi: while mixing up, the random directions are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.flags import parse_flags
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.gmm.full_stats import FULL_STATS
from minikaldi.gmm.full_update import EigenvalueLimits, update_full
from minikaldi.gmm.splitting import split_full
from minikaldi.gmmbin.model_options import EstOptions

_SEED = 0


@dataclass
class FullEstOptions(EstOptions):
    """Options of fgmm-global-est."""

    min_gaussian_occupancy: float = option(100.0, "Least number of frames of a Gaussian that is updated, not removed")
    max_condition: float = option(1.0e4, "Largest condition number of a covariance; smaller eigenvalues are raised")
    variance_floor: float = option(0.001, "Floor of the eigenvalues of a covariance")


@command(
    "fgmm-global-est",
    usage="[options] <model-in> <stats-in> <model-out>",
    num_args=(3, 3),
    options=FullEstOptions,
    about="Estimate a full-covariance GMM from the accumulated statistics.",
)
def main(run: CommandRun, options: FullEstOptions, args: list[str]) -> int:
    """Update the model; then mix up, if asked to."""
    if not options.max_condition >= 1.0:
        raise KaldiError(f"--max-condition={options.max_condition:g}; expected a number >= 1")
    if not options.variance_floor > 0.0:
        raise KaldiError(f"--variance-floor={options.variance_floor:g}; expected a number above 0")
    old = run.read_object(args[0], FULL_GMM)
    stats = run.read_object(args[1], FULL_STATS)
    eigenvalues = EigenvalueLimits(options.variance_floor, options.max_condition)
    gmm, done = update_full(old, stats, parse_flags(options.update_flags), options.limits(), eigenvalues)
    done.log_all()
    if options.mix_up:
        gmm = split_full(gmm, options.mix_up, options.perturb_factor, np.random.default_rng(_SEED))
    run.write_object(args[2], FULL_GMM, gmm, options.binary)
    run.log(f"Written model to {args[2]}")
    return 0
