"""gmm-global-acc-stats: statistics of features under a diagonal-covariance GMM.

Source: Kaldi gmmbin/gmm-global-acc-stats.cc.

Differs from Kaldi: a feature that is not finite is an error that names the utterance and the frame; Kaldi puts it into
the statistics. A selected Gaussian that the model does not have is an error that names them too.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_likes import DiagScorer
from minikaldi.gmm.diag_stats import DIAG_STATS, DiagAccumulator
from minikaldi.gmm.flags import parse_flags
from minikaldi.gmmbin.accumulation import accumulate
from minikaldi.gmmbin.frame_tables import FrameTables
from minikaldi.gmmbin.model_options import AccStatsOptions


@command(
    "gmm-global-acc-stats",
    usage="[options] <model-in> <feature-rspecifier> <stats-out>",
    num_args=(3, 3),
    options=AccStatsOptions,
    about="Accumulate statistics for training a diagonal-covariance GMM.",
)
def main(run: CommandRun, options: AccStatsOptions, args: list[str]) -> int:
    """Accumulate; the exit code is 1 if there was no utterance."""
    gmm = run.read_object(args[0], DIAG_GMM)
    flags = parse_flags(options.update_flags)
    accumulator = DiagAccumulator(DiagScorer(gmm), flags)
    tables = FrameTables(args[1], options.gselect, options.weights, gmm.dim, gmm.num_gauss)
    accumulate(run, tables, accumulator)
    run.write_object(args[2], DIAG_STATS, accumulator.stats(), options.binary)
    run.log(f"Written accs to {args[2]}")
    return 0 if tables.done else 1
