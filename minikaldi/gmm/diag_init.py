"""A diagonal mixture from frames in memory: some of the frames are the means, then E-M.

Source: Kaldi gmmbin/gmm-global-init-from-feats.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from common.errors import KaldiError
from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm_of_moments
from minikaldi.gmm.diag_likes import DiagScorer
from minikaldi.gmm.diag_stats import DiagAccumulator
from minikaldi.gmm.diag_update import update_diag
from minikaldi.gmm.flags import GmmFlags
from minikaldi.gmm.low_counts import CountLimits
from minikaldi.gmm.selection import invalid_likelihood
from minikaldi.gmm.splitting import split_diag
from minikaldi.gmm.triangles import Float32Array, Float64Array

FRAMES_PER_GAUSS = 10
_SPLIT_FACTOR = 0.1
_MOMENT_ROWS = 1 << 16


class FrameSample:
    """A random sample of frames that come one matrix after another, all with the same chance.

    Args:
        size: how many frames are kept.
        random: draws them.
    """

    def __init__(self, size: int, random: Generator) -> None:
        self.size = size
        self.num_read = 0
        self._random = random
        self._frames = np.zeros((0, 0), np.float32)

    def add(self, key: str, feats: Float32Array) -> None:
        """Offer the frames (T, F) of an utterance.

        Raises:
            KaldiError: they have another dimension than those before.
        """
        if not len(feats):
            return
        if not self.num_read:
            self._frames = np.empty((self.size, feats.shape[1]), np.float32)
        if feats.shape[1] != self._frames.shape[1]:
            raise KaldiError(
                f"{key}: the features have {feats.shape[1]} dimensions, those before {self._frames.shape[1]}"
            )
        room = min(max(self.size - self.num_read, 0), len(feats))
        self._frames[self.num_read : self.num_read + room] = feats[:room]
        rest = feats[room:]
        numbers = self.num_read + room + 1 + np.arange(len(rest))
        kept = rest[self._random.random(len(rest)) < self.size / numbers]
        # In order: of two frames for one place, the later one stays.
        self._frames[self._random.integers(0, self.size, len(kept))] = kept
        self.num_read += len(feats)

    def frames(self) -> Float32Array:
        """The sample, at most `size` frames."""
        return self._frames[: min(self.num_read, self.size)]


@dataclass(frozen=True)
class InitSteps:
    """How the mixture grows.

    Attributes:
        num_gauss: number of Gaussians at the end.
        num_gauss_init: at the beginning; by halfway through the iterations there are `num_gauss`.
        num_iters: iterations of E-M.
        num_threads: threads for the statistics.
    """

    num_gauss: int
    num_gauss_init: int
    num_iters: int
    num_threads: int


def gmm_of_random_frames(frames: Float32Array, num_gauss: int, random: Generator) -> DiagGmm:
    """Means at different random frames, the variance of all frames, equal weights.

    Raises:
        KaldiError: too few frames, or frames that are all the same, or the same in a dimension.
    """
    if len(frames) < FRAMES_PER_GAUSS * num_gauss:
        raise KaldiError(
            f"Too few frames to train on: found {len(frames)}, expected {FRAMES_PER_GAUSS} for each of {num_gauss} "
            "Gaussians; give more features or a smaller --num-gauss"
        )
    variance = _variances(frames)
    if variance.max() <= 0:
        raise KaldiError("Features do not have positive variance; are all frames the same?")
    if variance.min() <= 0:
        dim = int(variance.argmin())
        raise KaldiError(
            f"dimension {dim} (of 0 to {frames.shape[1] - 1}) of the features has the same value, {frames[0, dim]:g}, "
            f"in all {len(frames)} frames; compute the features again, or without it"
        )
    means = frames[random.choice(len(frames), num_gauss, replace=False)].astype(np.float64)
    return diag_gmm_of_moments(np.full(num_gauss, 1 / num_gauss), means, np.tile(variance, (num_gauss, 1)))


def _variances(frames: Float32Array) -> Float64Array:
    """(F,), in float64, some frames at a time."""
    total = np.zeros((2, frames.shape[1]))
    shift = frames[0].astype(np.float64)
    for start in range(0, len(frames), _MOMENT_ROWS):
        some = frames[start : start + _MOMENT_ROWS] - shift
        total += some.sum(axis=0), (some**2).sum(axis=0)
    mean, square = total / len(frames)
    variances: Float64Array = square - mean**2
    return variances


def train_from_frames(
    frames: Float32Array,
    steps: InitSteps,
    limits: CountLimits,
    min_variance: float,
    random: Generator,
    report: Callable[[str], None],
) -> DiagGmm:
    """The mixture after E-M on the frames (T, F).

    Args:
        frames: (T, F).
        steps: how it grows.
        limits: when a Gaussian has too few frames.
        min_variance: floor of the variances.
        random: draws frames and directions.
        report: takes each line of the log.

    Raises:
        KaldiError: as `gmm_of_random_frames`, or the likelihood of a frame is not finite.
    """
    gmm = gmm_of_random_frames(frames, steps.num_gauss_init, random)
    current = steps.num_gauss_init
    # Kaldi adds none, for ever, where this is below 1.
    increase = max(1, (steps.num_gauss - steps.num_gauss_init) // max(steps.num_iters // 2, 1))
    for iteration in range(steps.num_iters):
        accumulator = DiagAccumulator(DiagScorer(gmm), GmmFlags.ALL)
        likes = accumulator.add(frames, num_threads=steps.num_threads)
        finite = np.isfinite(likes)
        if not finite.all():
            raise invalid_likelihood(f"frame {int(finite.argmin())} of the sample", float(likes[finite.argmin()]))
        like = likes.mean()
        report(f"Likelihood per frame on iteration {iteration} was {like:.6g} over {len(frames)} frames.")
        gmm, done = update_diag(gmm, accumulator.stats(), GmmFlags.ALL, limits, min_variance)
        done.log_floored()
        report(
            f"Objective-function change on iteration {iteration} was {done.improvement / done.count:.6g} over "
            f"{done.count:.6g} frames."
        )
        target = min(steps.num_gauss, current + increase)
        if target > gmm.num_gauss:
            report(f"Splitting to {target} Gaussians.")
            gmm = split_diag(gmm, target, _SPLIT_FACTOR, random)
            current = target
    return gmm
