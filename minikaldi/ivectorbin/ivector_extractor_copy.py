"""ivector-extractor-copy: copy an i-vector extractor, in binary or text."""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.ivectorbin.ivector_extractor_init import ExtractorFormOptions


@command(
    "ivector-extractor-copy",
    usage="[options] <ivector-extractor-in> <ivector-extractor-out>",
    num_args=(2, 2),
    options=ExtractorFormOptions,
    about="Copy an i-vector extractor.",
)
def main(run: CommandRun, options: ExtractorFormOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extractor-copy.cc."""
    run.write_object(args[1], EXTRACTOR, run.read_object(args[0], EXTRACTOR), options.binary)
    return 0
