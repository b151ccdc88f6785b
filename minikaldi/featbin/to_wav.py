"""to_wav.py: audio of any kind as a 16-bit mono RIFF wave, for wav.scp lines that Kaldi can read.

Differs from Kaldi: Kaldi has no such command; recipes call sox or ffmpeg instead. It reads the formats of libsndfile,
and with an ffmpeg on PATH the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.feat.audio import changed_rate, one_channel, read_audio, source_name
from minikaldi.io import WAVE, Wave
from minikaldi.options import CommandOptions


@dataclass
class ToWavOptions(CommandOptions):
    """The wave's rate, speed and channel."""

    SPACED_VALUES: ClassVar[bool] = True

    rate: int = option(0, "Sampling rate of the output in Hz; 0: the file's own")
    speed: float = option(1.0, "Tempo and pitch factor, as in sox's speed effect")
    channel: int = option(-1, "Channel to use, counted from 0; -1: the mean of all")


@command(
    "to_wav.py",
    usage="[--rate <rate>] [--speed <factor>] <file> [<rate>]",
    num_args=(1, 2),
    options=ToWavOptions,
    about="Write an audio file (WAV, FLAC, MP3, Ogg, Opus, SPHERE; through ffmpeg also M4A and others; - for the "
    "standard input) to the standard output as a 16-bit mono wave.",
)
def main(run: CommandRun, options: ToWavOptions, args: list[str]) -> int:
    """Convert one file."""
    source: str | BinaryIO = run.stdin if args[0] == "-" else args[0]
    channels, own_rate = read_audio(source)
    rate = _wanted_rate(options, args) or own_rate
    mono = one_channel(channels, "mean" if options.channel < 0 else options.channel, source_name(source))
    samples = np.rint(changed_rate(mono, own_rate, rate, options.speed))
    num_clipped = int(np.count_nonzero(np.abs(samples + 0.5) > 32768))
    if num_clipped:
        run.warning(f"{source_name(source)}: {num_clipped} of {len(samples)} samples were clipped to 16 bits")
    run.write_object("-", WAVE, Wave(float(rate), np.clip(samples, -32768, 32767)[None, :]))
    return 0


def _wanted_rate(options: ToWavOptions, args: list[str]) -> int:
    """The rate of the option or the second argument in Hz, 0 for none."""
    if len(args) == 1:
        return options.rate
    if not args[1].isdecimal() or int(args[1]) < 1 or options.rate not in (0, int(args[1])):
        raise KaldiError(f"rate {args[1]!r}: expected one integer >= 1 in Hz, as the second argument or as --rate")
    return int(args[1])
