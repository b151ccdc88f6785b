"""Which samples a chunk of voiced frames needs, and which frames of them are the chunk.

A chunk is T voiced frames in a row, from the s-th voiced frame of the utterance on; between them lie frames without
voice, which are computed for the sliding mean and left out of the chunk. An utterance with fewer voiced frames is
taken whole, and its voiced frames are repeated, as in reading features.
At another speed the voice activity is the original's: frame t of the copy is where frame (t + 1/2) factor was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnet.augment.speed import num_samples_at
from nnet.features.framing import Framing

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crop:
    """A part of an utterance, at its speed.

    Attributes:
        start: its first sample.
        stop: one after its last sample.
        left: samples that are missing before it, beyond the utterance's beginning.
        right: samples that are missing after it, beyond the utterance's end.
        num_frames: frames of those samples.
        rows: int64 (T,), which of these are the chunk.
    """

    start: int
    stop: int
    left: int
    right: int
    num_frames: int
    rows: IntArray


def voiced_at(voiced: npt.NDArray[np.bool_], factor: float, total: int) -> npt.NDArray[np.bool_]:
    """Voice activity of the `total` frames of a copy at a speed: bool (T,) -> (total,)."""
    if factor == 1.0:
        return voiced
    original = ((np.arange(total) + 0.5) * factor).astype(np.int64)
    mapped: npt.NDArray[np.bool_] = voiced[np.minimum(original, len(voiced) - 1)]
    return mapped


def chunk_frames(voiced: npt.NDArray[np.bool_], start: int, length: int) -> tuple[IntArray, bool]:
    """The frames of a chunk: int64 (length,), and whether they are all that is voiced.

    Args:
        voiced: bool (T,), at least one of them true.
        start: the first, counted in voiced frames; one that leaves too few is moved back.
        length: frames wanted.
    """
    frames = np.flatnonzero(voiced)
    if len(frames) < length:
        return frames[(start + np.arange(length)) % len(frames)], True
    start = min(start, len(frames) - length)
    return frames[start : start + length], len(frames) == length


def crop(frames: IntArray, context: int, num_samples: int, framing: Framing) -> Crop:
    """The part of an utterance that some of its frames need.

    Args:
        frames: int64 (T,).
        context: frames on both sides that are computed too, as far as there are any.
        num_samples: of the utterance, at its speed.
        framing: how frames are cut.
    """
    shift, length, reach = framing.shift, framing.length, framing.before
    first = max(0, int(frames.min()) - context)
    last = min(framing.num_frames(num_samples) - 1, int(frames.max()) + context)
    start, stop = first * shift - reach, last * shift - reach + length
    inside = max(0, start), min(stop, num_samples)
    return Crop(*inside, inside[0] - start, stop - inside[1], last + 1 - first, frames - first)


def speed_length(factor: float, num_samples: int) -> int:
    """Samples of an utterance at a speed."""
    return num_samples if factor == 1.0 else num_samples_at(factor, num_samples)
