"""The samples themselves as a matrix, so that networks on waveforms use the archives, lists and loaders of features.

A row is 160 samples, 10 ms at 16 kHz: row t is what frame t of Kaldi's features is centred on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.options import option
from minikaldi.options import CommandOptions
from nnet.features.framing import Framing
from nnet.features.spectrum import check_sizes

FULL_SCALE = np.float32(32768)


@dataclass
class SamplesOptions(CommandOptions):
    """How samples become rows."""

    sample_frequency: float = option(16000.0, "Sampling rate in Hz; audio of another is resampled")
    frame_samples: int = option(160, "Samples of a row; what does not fill the last is dropped")

    @property
    def dim(self) -> int:
        """Columns."""
        return self.frame_samples

    @property
    def framing(self) -> Framing:
        """Where the rows lie."""
        return Framing(self.frame_samples, self.frame_samples)

    def check(self) -> None:
        """Raises KaldiError if the options contradict each other."""
        check_sizes(sample_frequency=self.sample_frequency, frame_samples=self.frame_samples)


def compute_samples(
    samples: NDArray[np.float32], options: SamplesOptions, framing: Framing | None = None
) -> NDArray[np.float32]:
    """The samples of a wave in rows.

    Args:
        samples: float32 (N,) in 16-bit scale, at the options' rate; a resampled peak beyond it is clipped.
        options: checked.
        framing: other frames than the options'.

    Returns:
        float32 (N // frame_samples, frame_samples) in [-1, 1].
    """
    framing = framing or options.framing
    total = framing.num_frames(len(samples))
    rows = samples[: total * options.frame_samples].reshape(total, options.frame_samples)
    return np.clip(rows / FULL_SCALE, -1, 1)
