"""gmm-global-init-from-feats: a diagonal GMM from features, without an initial model.

Source: Kaldi gmmbin/gmm-global-init-from-feats.cc.

Differs from Kaldi: the frames, means and directions that are drawn at random are others. Where the number of Gaussians
would grow by less than one in an iteration, it grows by one; in Kaldi it stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_init import FrameSample, InitSteps, train_from_frames
from minikaldi.gmm.triangles import Float32Array
from minikaldi.gmmbin.frame_tables import check_frames
from minikaldi.gmmbin.model_options import CountOptions
from minikaldi.io import FLOAT_MATRIX


@dataclass
class InitOptions(CountOptions):
    """Options of gmm-global-init-from-feats."""

    min_variance: float = option(0.001, "Floor of the variances")
    num_frames: int = option(200000, "Number of frames to keep in memory and train on, randomly chosen")
    num_gauss: int = option(100, "Number of Gaussians in the model")
    num_gauss_init: int = option(0, "Number of Gaussians at the beginning, if above 0 and below --num-gauss")
    num_iters: int = option(50, "Number of iterations of training")
    num_threads: int = option(4, "Number of threads used for the statistics")
    srand: int = option(0, "Seed of the random numbers")


@command(
    "gmm-global-init-from-feats",
    usage="[options] <feature-rspecifier> <model-out>",
    num_args=(2, 2),
    options=InitOptions,
    about="Train a single diagonal GMM, from frames at random, on features stored in memory.",
)
def main(run: CommandRun, options: InitOptions, args: list[str]) -> int:
    """Read the features, start from some of their frames, train."""
    _check(options)
    random = np.random.default_rng(options.srand % (1 << 32))
    frames = _read(run, args[0], FrameSample(options.num_frames, random))
    num_gauss_init = options.num_gauss_init
    if not 0 < num_gauss_init <= options.num_gauss:
        num_gauss_init = options.num_gauss
    run.log(f"Initializing GMM means from random frames to {num_gauss_init} Gaussians.")
    steps = InitSteps(options.num_gauss, num_gauss_init, options.num_iters, options.num_threads)
    gmm = train_from_frames(frames, steps, options.limits(), options.min_variance, random, run.log)
    run.write_object(args[1], DIAG_GMM, gmm, options.binary)
    run.log(f"Wrote model to {args[1]}")
    return 0


def _check(options: InitOptions) -> None:
    for name, value in (("num-frames", options.num_frames), ("num-gauss", options.num_gauss)):
        if value < 1:
            raise KaldiError(f"--{name}={value}; expected an integer >= 1")


def _read(run: CommandRun, rspecifier: str, sample: FrameSample) -> Float32Array:
    """The frames that are kept."""
    run.log(f"Reading features (will keep {sample.size} frames.)")
    with run.sequential(rspecifier, FLOAT_MATRIX) as utterances:
        for key, feats in utterances:
            check_frames(key, feats, feats.shape[1])  # finite
            sample.add(key, feats)
    if not sample.num_read:
        raise KaldiError("no features: every utterance is empty or missing; see the log of the command that made them")
    if sample.num_read < sample.size:
        run.warning(
            f"Number of frames read {sample.num_read} was less than target number {sample.size}, using all we read."
        )
    else:
        percent = 100 * sample.size / sample.num_read
        run.log(f"Kept {sample.size} out of {sample.num_read} input frames = {percent:.6g}%.")
    return sample.frames()
