"""MFCC with librosa's conventions: centred Hann frames, power on Slaney's mels in decibels, DCT-II.

Source: librosa.feature.mfcc, whose numbers they are. It changed its padding from "reflect" to "constant" with version
0.10; here it is an option. The limit of 80 dB below the greatest value is taken over the whole wave that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.options import option
from nnet.features.framing import Framing
from nnet.features.spectrum import check_sizes, periodic_hann, slaney_filters, windowed_power

FULL_SCALE = 32768.0
PAD_MODES = ("constant", "reflect")


@dataclass
class LibrosaMfccOptions:
    """All that decides a coefficient's value."""

    sample_frequency: float = option(16000.0, "Sampling rate in Hz; audio of another is resampled")
    num_ceps: int = option(40, "Number of cepstral coefficients, the one of level included")
    fft_length: int = option(2048, "Samples of the FFT, and of the Hann window")
    hop_length: int = option(512, "Samples from one frame to the next; frame t is centred at t hops")
    pad_mode: str = option("constant", "What stands beyond the ends: constant (zeros) or reflect")
    num_mel_bins: int = option(128, "Number of mel filters")
    low_freq: float = option(0.0, "Lower edge of the first filter in Hz")
    high_freq: float = option(0.0, "Upper edge of the last filter in Hz; if 0 or less, counted from half the rate")
    amin: float = option(1e-10, "Least mel energy")
    top_db: float = option(80.0, "Decibels that a value may lie below the utterance's greatest; 0: any number")

    @property
    def dim(self) -> int:
        """Columns of the features."""
        return self.num_ceps

    @property
    def framing(self) -> Framing:
        """Where the frames lie."""
        beyond = cast(Literal["constant", "reflect"], self.pad_mode)
        return Framing(self.hop_length, self.fft_length, self.fft_length // 2, self.fft_length // 2, beyond)

    def check(self) -> None:
        """Raises KaldiError if the options contradict each other."""
        check_sizes(sample_frequency=self.sample_frequency, fft_length=self.fft_length, hop_length=self.hop_length)
        check_sizes(amin=self.amin, num_ceps=self.num_ceps)
        if self.pad_mode not in PAD_MODES:
            raise KaldiError(f'--pad-mode="{self.pad_mode}" is unknown; choose one of: {", ".join(PAD_MODES)}')
        if self.num_ceps > self.num_mel_bins or self.top_db < 0:
            raise KaldiError(
                f"--num-ceps={self.num_ceps} and --top-db={self.top_db:g}: expected at most --num-mel-bins="
                f"{self.num_mel_bins}, and a number that is not negative"
            )
        slaney_filters(self.sample_frequency, self.fft_length, self.num_mel_bins, self.low_freq, self.high_freq)


def compute_librosa_mfcc(
    samples: NDArray[np.float32], options: LibrosaMfccOptions, framing: Framing | None = None
) -> NDArray[np.float32]:
    """The MFCC of a wave.

    Args:
        samples: float32 (N,) in 16-bit scale, at the options' rate.
        options: checked.
        framing: other frames than the options'.

    Returns:
        float32 (1 + N // hop, num_ceps); of no samples (0, num_ceps).
    """
    framing = framing or options.framing
    rate, fft_length = options.sample_frequency, options.fft_length
    filters = slaney_filters(rate, fft_length, options.num_mel_bins, options.low_freq, options.high_freq)
    window = periodic_hann(fft_length, fft_length)
    scaled = samples.astype(np.float64) / FULL_SCALE
    decibels = np.empty((framing.num_frames(len(samples)), options.num_mel_bins))
    for rows, frames in framing.blocks(scaled):
        decibels[rows] = 10 * np.log10(np.maximum(windowed_power(frames, window) @ filters, options.amin))
    if options.top_db > 0 and len(decibels):
        np.maximum(decibels, decibels.max() - options.top_db, out=decibels)
    return (decibels @ _dct(options.num_mel_bins, options.num_ceps)).astype(np.float32)


@lru_cache(maxsize=4)
def _dct(num_inputs: int, num_outputs: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II, (num_inputs, num_outputs): its columns have length 1."""
    place = np.arange(num_inputs)[:, None] + 0.5
    columns = np.cos(np.pi / num_inputs * place * np.arange(num_outputs))
    return columns * np.where(np.arange(num_outputs) == 0, np.sqrt(1 / num_inputs), np.sqrt(2 / num_inputs))
