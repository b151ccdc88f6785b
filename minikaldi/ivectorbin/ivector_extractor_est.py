"""ivector-extractor-est: a new i-vector extractor from statistics.

Differs from Kaldi: the signs of the dimensions after the first may differ, and with --diagonalize=false their rotation;
both leave the model equal. One vector dimension is possible, as is a mean of the vectors that needs no reflection.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.ivector.extractor_prior import update_prior
from minikaldi.ivector.extractor_update import UpdateRules, explained_share, update_parameters
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS
from minikaldi.options import CommandOptions


@dataclass
class EstimateOptions(CommandOptions):
    """Options of ivector-extractor-est."""

    binary: bool = option(True, "Write output in binary mode")
    diagonalize: bool = option(
        True, "If true, diagonalize the quadratic term, which orders the dimensions from most to least important"
    )
    gaussian_min_count: float = option(
        100.0, "Minimum total count of frames per Gaussian, below which its parameters are not updated"
    )
    num_threads: int = option(8, "Number of threads used in update; no effect here")
    variance_floor_factor: float = option(
        0.1, "Each covariance is floored to this times the global average covariance; in (0, 1]"
    )


@command(
    "ivector-extractor-est",
    usage="[options] <model-in> <stats-in> <model-out>",
    num_args=(3, 3),
    options=EstimateOptions,
    about="Do model re-estimation of an iVector extractor: the update phase of a single pass of E-M.",
)
def main(run: CommandRun, options: EstimateOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extractor-est.cc."""
    factor = options.variance_floor_factor
    if not 0.0 < factor <= 1.0:
        raise KaldiError(f"--variance-floor-factor={factor:g} is out of range: expected more than 0 and at most 1")
    rules = UpdateRules(options.gaussian_min_count, factor, options.diagonalize)
    run.log("Reading model")
    extractor = run.read_object(args[0], EXTRACTOR)
    run.log("Reading statistics")
    stats = run.read_object(args[1], EXTRACTOR_STATS)
    frames = float(stats.counts.sum())
    if stats.auxf != 0.0 and frames > 0.0:
        run.log(
            f"Overall auxf/frame on training data was {stats.auxf / frames:.6g} per frame over {frames:.6g} frames."
        )
    extractor, improvement = update_parameters(extractor, stats, rules, run.log, run.warning)
    extractor, from_prior = update_prior(extractor, stats, rules.diagonalize, run.log, run.warning)
    run.log(f"Overall objective-function improvement per frame was {improvement + from_prior:.6g}")
    share = explained_share(extractor, stats.counts)
    run.log(f"The proportion of within-Gaussian variance explained by the iVectors is {share:.6g}.")
    run.write_object(args[2], EXTRACTOR, extractor, options.binary)
    run.log(f"Updated model and wrote it to {args[2]}")
    return 0
