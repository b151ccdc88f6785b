"""A wave that the steps change, and its power."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Signal:
    """A chunk of an utterance, and the samples just before it, for the echo of a room.

    Attributes:
        samples: float32 (C + N,), N >= 1, in 16-bit scale.
        context: C, 0 once the echo was added or will not be.
        speaker: id of who speaks, without a speed prefix.
        speech_power: mean square that noise levels refer to; None for that of `samples`.
    """

    samples: FloatArray
    context: int = 0
    speaker: str = ""
    speech_power: float | None = None

    def without_context(self) -> Signal:
        """The chunk alone."""
        return replace(self, samples=self.samples[self.context :], context=0) if self.context else self


def signal_power(samples: FloatArray) -> float:
    """Mean square, 0 for no samples. float32 sums in BLAS's blocks: within 1e-5 of the exact one."""
    return float(samples @ samples) / max(1, len(samples))


def to_sixteen_bits(samples: FloatArray) -> bool:
    """Make the samples (N,) those of a 16-bit wave file, in place: truncated toward zero and clipped, as
    wav-reverberate writes them. Returns whether any was clipped."""
    np.trunc(samples, out=samples)
    clipped = bool(len(samples)) and bool(samples.max() > 32767 or samples.min() < -32768)
    if clipped:
        np.clip(samples, -32768, 32767, out=samples)
    return clipped
