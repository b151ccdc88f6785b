"""fgmm-global-sum-accs: the sum of statistics that several jobs accumulated.

Source: Kaldi fgmmbin/fgmm-global-sum-accs.cc.
"""

from __future__ import annotations

from functools import reduce

from minikaldi.command import CommandRun, command
from minikaldi.gmm.full_stats import FULL_STATS, FullStats
from minikaldi.gmmbin.model_options import BinaryOptions


@command(
    "fgmm-global-sum-accs",
    usage="[options] stats-out stats-in1 stats-in2 ...",
    num_args=(2, None),
    options=BinaryOptions,
    about="Sum several files of statistics for training a full-covariance GMM.",
)
def main(run: CommandRun, options: BinaryOptions, args: list[str]) -> int:
    """Add the statistics up; they must be of models of the same size."""
    total: FullStats = reduce(FullStats.plus, (run.read_object(name, FULL_STATS) for name in args[1:]))
    run.write_object(args[0], FULL_STATS, total, options.binary)
    run.log(f"Written stats to {args[0]}")
    return 0
