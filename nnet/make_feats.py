"""Make features of types that Kaldi does not have, from a table of waves:

    python3 -m nnet.make_feats <logmel|librosa_mfcc|samples> [options] <wav-rspecifier> <feats-wspecifier>

It works like compute-mfcc-feats: options in Kaldi's form (--config=conf/logmel.conf), the number of utterances read and
written, a warning with the name of each utterance that fails. Audio of another rate is resampled as utils/to_wav.py
does. Without torch.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import Command, CommandRun
from minikaldi.feat.resample import wideband_resample
from minikaldi.io import DOUBLE, FLOAT_MATRIX, WAVE, Wave
from minikaldi.options import CommandOptions
from minikaldi.running import run_command
from nnet.features import INPUTS, InputKind
from nnet.features.librosa_mfcc import LibrosaMfccOptions
from nnet.features.logmel import LogmelOptions
from nnet.features.samples import SamplesOptions

LOG_EVERY = 10  # utterances, as Kaldi does


@dataclass
class MakeFeatsOptions(CommandOptions):
    """Options of the tables, besides those of the features."""

    channel: int = option(-1, "Channel to use, counted from 0; -1: the wave should be mono, else its first channel")
    min_duration: float = option(0.0, "Shortest wave in seconds that is processed")
    write_utt2dur: str = option("", "Where to write each utterance's duration in seconds (wspecifier)")


@dataclass
class MakeLogmelOptions(LogmelOptions, MakeFeatsOptions):
    """The options of `make_feats logmel`."""


@dataclass
class MakeLibrosaMfccOptions(LibrosaMfccOptions, MakeFeatsOptions):
    """The options of `make_feats librosa_mfcc`."""


@dataclass
class MakeSamplesOptions(SamplesOptions, MakeFeatsOptions):
    """The options of `make_feats samples`."""


OPTIONS: dict[str, type[Any]] = {
    "logmel": MakeLogmelOptions,
    "librosa_mfcc": MakeLibrosaMfccOptions,
    "samples": MakeSamplesOptions,
}


EARLIER_NAMES = {"wave": "samples"}


def features_of(wave: Wave, options: Any, kind: InputKind) -> NDArray[np.float32]:
    """Features of a wave, (T, F), T >= 1.

    Args:
        wave: at any rate.
        options: of the kind, and MakeFeatsOptions.
        kind: which features.

    Raises:
        KaldiError: no such channel, too short, or samples that are not finite.
    """
    if wave.duration < options.min_duration:
        raise KaldiError(f"lasts {wave.duration:g} s, --min-duration is {options.min_duration:g}")
    if not -1 <= options.channel < len(wave.samples):
        raise KaldiError(f"has {len(wave.samples)} channels, --channel is {options.channel}, counted from 0")
    samples = wave.samples[max(0, options.channel)]
    wanted = round(options.sample_frequency)
    feats = kind.compute(wideband_resample(samples, round(wave.sample_rate), wanted), options)
    if len(feats) == 0:
        raise KaldiError(f"{len(samples)} samples at {wave.sample_rate:g} Hz are too short for a frame")
    return feats


def make_table(kind: InputKind, run: CommandRun, options: Any, args: list[str]) -> int:
    """Reads waves, writes features; an utterance that fails gets a warning. Returns 0 if at least one was done."""
    options.check()
    num_utts = num_done = 0
    with ExitStack() as stack:
        waves = stack.enter_context(run.sequential(args[0], WAVE))
        table = stack.enter_context(run.writer(args[1], FLOAT_MATRIX))
        durations = stack.enter_context(run.writer(options.write_utt2dur, DOUBLE)) if options.write_utt2dur else None
        for key, wave in waves:
            num_utts += 1
            if options.channel == -1 and len(wave.samples) > 1:
                run.warning(f"{key}: has {len(wave.samples)} channels and no --channel is given; the first is taken")
            try:
                feats = features_of(wave, options, kind)
            except KaldiError as error:
                run.warning(f"Failed to compute features for utterance {key}: {error}")
                continue
            table.write(key, feats)
            if durations is not None:
                durations.write(key, wave.duration)
            num_done += 1
            if num_utts % LOG_EVERY == 0:
                run.log(f"Processed {num_utts} utterances")
    run.log(f" Done {num_done} out of {num_utts} utterances.")
    return 0 if num_done else 1


COMMANDS = {
    name: Command(
        f"compute-{name.replace('_', '-')}-feats",
        "[options...] <wav-rspecifier> <feats-wspecifier>",
        kind.about,
        (2, 2),
        OPTIONS[name],
        partial(make_table, kind),
    )
    for name, kind in INPUTS.items()
}


def main(arguments: list[str] | None = None) -> int:
    """Run the program; its exit codes are those of minikaldi's commands."""
    words = sys.argv[1:] if arguments is None else arguments
    declared = COMMANDS.get(EARLIER_NAMES.get(words[0], words[0])) if words else None
    if declared is None:
        kinds = "".join(f"  {name:<14}{kind.about}\n" for name, kind in INPUTS.items())
        usage = f"python3 -m nnet.make_feats <type> [options] <wav-rspecifier> <feats-wspecifier>\nTypes:\n{kinds}"
        found = f"found type {words[0]!r}; " if words and words[0] not in ("--help", "-h") else ""
        print(f"{found}Usage: {usage}<type> --help lists its options.", file=sys.stderr)
        return 0 if words and not found else 1
    return run_command([declared.name, *words[1:]], declared=declared)


if __name__ == "__main__":
    sys.exit(main())
