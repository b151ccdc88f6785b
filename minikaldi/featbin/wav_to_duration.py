"""wav-to-duration: seconds of each wave. Source: Kaldi, featbin/wav-to-duration.cc.

Differs from Kaldi: a wave whose header does not know its length is read to its end; Kaldi fails, unless
--read-entire-file is given. A wave without samples is an error in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT, Reader, Writer
from minikaldi.io.specifiers import parse_rspecifier
from minikaldi.io.wave import read_wave, read_wave_header
from minikaldi.options import CommandOptions


@dataclass
class WavToDurationOptions(CommandOptions):
    """How much of a wave is read."""

    read_entire_file: bool = option(
        False, "Read all samples and count them, even if each wave is a file with a known length"
    )


class DurationHolder:
    """The seconds of a wave, from its header if that suffices.

    Args:
        entire: whether all samples are read: in an archive the next wave follows them.
    """

    what = "wave"

    def __init__(self, entire: bool) -> None:
        self.entire = entire

    def read(self, stream: Reader) -> float:
        """Read a duration in seconds."""
        if self.entire:
            return read_wave(stream).duration
        header = read_wave_header(stream)
        num_bytes = len(stream.read()) if header.data_bytes is None else header.data_bytes
        num_samples = num_bytes // (2 * header.channels)
        if not num_samples:
            raise KaldiError("the wave has no samples, so it has no duration; remove it")
        return num_samples / header.sample_rate

    def write(self, stream: Writer, value: float, binary: bool) -> None:
        """Refuse: a duration is not a wave."""
        raise KaldiError("a duration cannot be written as a wave")


@command(
    "wav-to-duration",
    usage="[options...] <wav-rspecifier> <duration-wspecifier>",
    num_args=(2, 2),
    options=WavToDurationOptions,
    about="Write the duration of each wave in seconds.",
)
def main(run: CommandRun, options: WavToDurationOptions, args: list[str]) -> int:
    """Write a table of seconds; returns 0 if at least one was written."""
    entire = options.read_entire_file or parse_rspecifier(args[0]).kind == "ark"
    num_done, total, shortest, longest = 0, 0.0, math.inf, 0.0
    with run.sequential(args[0], DurationHolder(entire)) as waves, run.writer(args[1], FLOAT) as durations:
        for key, duration in waves:
            durations.write(key, duration)
            num_done, total = num_done + 1, total + duration
            shortest, longest = min(shortest, duration), max(longest, duration)
    run.log(f"Printed duration for {num_done} audio files.")
    if not num_done:
        return 1
    run.log(f"Mean duration was {total / num_done:g}, min and max durations were {shortest:g}, {longest:g}")
    return 0
