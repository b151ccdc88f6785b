"""ivector-extractor-sum-accs: the sum of statistics of several jobs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import Reader
from minikaldi.io.objects import read_named, where
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS, AddingHolder
from minikaldi.options import CommandOptions


@dataclass
class SumAccsOptions(CommandOptions):
    """Options of ivector-extractor-sum-accs."""

    binary: bool = option(True, "Write output in binary mode")
    parallel: bool = option(
        False, "If true, open all inputs before reading from any (useful when summing accs from long processes)"
    )


@command(
    "ivector-extractor-sum-accs",
    usage="[options] <stats-in1> <stats-in2> ... <stats-inN> <stats-out>",
    num_args=(2, None),
    options=SumAccsOptions,
    about="Sum accumulators for training of an iVector extractor.",
)
def main(run: CommandRun, options: SumAccsOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extractor-sum-accs.cc."""
    *sources, target = args
    adding = AddingHolder()
    if options.parallel:
        with ExitStack() as opened:
            streams: list[tuple[str, Reader]] = [(s, opened.enter_context(run.open_read(s))) for s in sources]
            for source, stream in streams:
                read_named(stream, adding, where(source))
    else:
        for source in sources:
            run.log(f"Reading stats from {source}")
            run.read_object(source, adding)
    assert adding.total is not None  # there is one source at least
    run.write_object(target, EXTRACTOR_STATS, adding.total, options.binary)
    run.log(f"Wrote summed stats to {target}")
    return 0
