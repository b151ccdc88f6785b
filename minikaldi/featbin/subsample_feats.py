"""subsample-feats: every n-th frame, or each frame n times. Source: Kaldi, featbin/subsample-feats.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX
from minikaldi.options import CommandOptions


@dataclass
class SubsampleOptions(CommandOptions):
    """Which frames are taken."""

    n: int = option(1, "Take every n-th frame; if negative, repeat each frame -n times")
    offset: int = option(0, "First frame to take, counted from 0; only with a positive --n")


def subsampled(feats: NDArray[np.float32], options: SubsampleOptions) -> NDArray[np.float32]:
    """Every n-th frame from `offset` on, or each frame -n times, (T, F) -> (T', F)."""
    if options.n < 0:
        return np.repeat(feats, -options.n, axis=0)
    return feats[options.offset :: options.n]


@command(
    "subsample-feats",
    usage="[options] <in-rspecifier> <out-wspecifier>",
    num_args=(2, 2),
    options=SubsampleOptions,
    about="Take every n-th frame of features, or repeat each one.",
)
def main(run: CommandRun, options: SubsampleOptions, args: list[str]) -> int:
    """Take frames of each matrix of a table; one without frames is counted and left out, with a warning."""
    _check(options)
    num_done = num_errors = frames_in = frames_out = 0
    with run.sequential(args[0], FLOAT_MATRIX) as feats, run.writer(args[1], FLOAT_MATRIX) as taken:
        for key, matrix in feats:
            frames = subsampled(matrix, options)
            frames_in += len(matrix)
            frames_out += len(frames)
            if len(frames) == 0 and options.n > 0:
                run.warning(f"For utterance {key}, the output would have no rows; it is left out")
                num_errors += 1
                continue
            taken.write(key, frames)
            num_done += 1
    run.log(f"Processed {num_done} feature matrices; {num_errors} with errors.")
    run.log(f"Processed {frames_in} input frames and {frames_out} output frames.")
    return 0 if num_done else 1


def _check(options: SubsampleOptions) -> None:
    if options.n == 0:
        raise KaldiError("--n=0 takes no frame; give 1 or more, or a negative number to repeat frames")
    if options.n < 0 and options.offset != 0:
        raise KaldiError(f"--offset={options.offset} has no meaning if --n={options.n} repeats frames")
    if options.offset < 0:
        raise KaldiError(f"--offset={options.offset} is negative; the first frame is 0")
