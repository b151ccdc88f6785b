"""fgmm-global-acc-stats: statistics of features under a full-covariance GMM.

Source: Kaldi fgmmbin/fgmm-global-acc-stats.cc.

Differs from Kaldi: a feature that is not finite is an error that names the utterance and the frame; Kaldi puts it into
the statistics. A selected Gaussian that the model does not have is an error that names them too.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.gmm.flags import parse_flags
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.full_stats import FULL_STATS, FullAccumulator
from minikaldi.gmmbin.accumulation import accumulate
from minikaldi.gmmbin.frame_tables import FrameTables
from minikaldi.gmmbin.model_options import AccStatsOptions


@command(
    "fgmm-global-acc-stats",
    usage="[options] <model-in> <feature-rspecifier> <stats-out>",
    num_args=(3, 3),
    options=AccStatsOptions,
    about="Accumulate statistics for training a full-covariance GMM.",
)
def main(run: CommandRun, options: AccStatsOptions, args: list[str]) -> int:
    """Accumulate; the exit code is 1 if there was no utterance."""
    gmm = run.read_object(args[0], FULL_GMM)
    flags = parse_flags(options.update_flags)
    accumulator = FullAccumulator(FullScorer(gmm), flags)
    tables = FrameTables(args[1], options.gselect, options.weights, gmm.dim, gmm.num_gauss)
    accumulate(run, tables, accumulator)
    run.write_object(args[2], FULL_STATS, accumulator.stats(), options.binary)
    run.log(f"Written accs to {args[2]}")
    return 0 if tables.done else 1
