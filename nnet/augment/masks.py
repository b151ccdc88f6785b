"""Masks over features, as SpecAugment has them.

Source: Park et al. 2019, "SpecAugment", section 2, without time warping. SpeakerRecognitionFromScratch takes one mask
of up to 8 bins with probability 0.3, one of up to 20 frames with probability 0.3, and fills both with the mean of all
the crop's numbers (`crop_mean`); conf/nnet/transformer_triplet.yaml has it so. Both means are of the crop before any
mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnet.augment import MaskOptions, Step
from nnet.augment.signal import FloatArray


def mask_bins(frames: FloatArray, options: MaskOptions, filling: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`frames` (T, F) with bands of bins replaced by the bins' `filling` (F,)."""
    return _masked(frames, options, filling, rng, axis=1)


def mask_frames(frames: FloatArray, options: MaskOptions, filling: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`frames` (T, F) with stretches of frames replaced by the bins' `filling` (F,)."""
    return _masked(frames, options, filling, rng, axis=0)


def _masked(
    frames: FloatArray, options: MaskOptions, filling: FloatArray, rng: np.random.Generator, axis: int
) -> FloatArray:
    size = frames.shape[axis]
    masked = frames.copy()
    for _ in range(int(rng.integers(options.count[0], options.count[1] + 1))):
        width = min(int(rng.integers(options.width[0], options.width[1] + 1)), size // 2)
        start = int(rng.integers(size - width + 1))
        if axis == 0:
            masked[start : start + width] = filling
        else:
            masked[:, start : start + width] = filling[start : start + width]
    return masked


def filling_of(frames: FloatArray, fill: str) -> FloatArray:
    """What each bin of (T, F) is filled with, float32 (F,): `fill` as MaskOptions has it."""
    if fill == "mean":
        return frames.mean(axis=0)
    # in float64: a sum of thousands of numbers keeps all digits of float32
    value = frames.mean(dtype=np.float64) if fill == "crop_mean" else 0.0
    return np.full(frames.shape[1], value, np.float32)


def apply_masks(frames: FloatArray, steps: Sequence[Step], rng: np.random.Generator) -> FloatArray:
    """The steps of the section `features`, each with its probability, in order: float32 (T, F) -> (T, F)."""
    functions = {"mask_bins": mask_bins, "mask_frames": mask_frames}
    masked = frames
    for step in steps:
        if rng.random() < step.share:
            function = functions[step.options.implementation.partition(":")[2]]
            masked = function(masked, step.options, filling_of(frames, step.options.fill), rng)
    return masked
