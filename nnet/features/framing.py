"""The frames of a wave: their length and shift, and how the wave is extended before and after its samples.

The wave is extended by `before` and `after` samples, and frames are taken as long as they fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minikaldi.feat.frames import FrameOptions

BLOCK_FRAMES = 256  # made at once: recordings of hours take little memory beside their samples


@dataclass(frozen=True)
class Framing:
    """How frames are cut, in samples.

    Attributes:
        shift: from one frame to the next.
        length: of a frame.
        before: by which the wave is extended before its first sample.
        after: by which it is extended after its last sample.
        beyond: what the extension holds, as in numpy.pad: "constant" (zeros), "reflect" (... 2 1 | 0 1 2 ...) or
            "symmetric" (... 1 0 | 0 1 2 ...).
    """

    shift: int
    length: int
    before: int = 0
    after: int = 0
    beyond: Literal["constant", "reflect", "symmetric"] = "constant"

    def num_frames(self, num_samples: int) -> int:
        """Frames of a wave of that many samples; a wave without samples has none."""
        extended = num_samples + self.before + self.after
        return 0 if num_samples == 0 or extended < self.length else 1 + (extended - self.length) // self.shift

    def extended(self, samples: NDArray[Any], before: int, after: int) -> NDArray[Any]:
        """Samples (N,), N >= 1, with so many more at its ends."""
        return np.pad(samples, (before, after), mode=self.beyond) if before or after else samples

    def blocks(self, samples: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The frames of a wave (N,), some at a time: their numbers, and the frames (t, length), which overlap in memory
        and must not be written to."""
        total = self.num_frames(len(samples))
        if total == 0:
            return
        extended = self.extended(samples, self.before, self.after)
        views = np.lib.stride_tricks.sliding_window_view(extended, self.length)[:: self.shift]
        for start in range(0, total, BLOCK_FRAMES):
            rows = slice(start, min(start + BLOCK_FRAMES, total))
            yield rows, views[rows]


def kaldi_framing(options: FrameOptions) -> Framing:
    """The framing of Kaldi's features: with --snip-edges=false a frame for each shift, the ends mirrored."""
    shift, length = options.shift_samples, options.length_samples
    if options.snip_edges:
        return Framing(shift, length)
    before = length // 2 - shift // 2
    return Framing(shift, length, before, length + shift // 2 - shift - before, "symmetric")
