"""Log mel spectra as speech synthesis has them: Hann-windowed magnitudes, Slaney's mels, ln(max(., 1e-5)).

Source: Shen et al., "Natural TTS synthesis by conditioning WaveNet on mel spectrogram predictions" (Tacotron 2), 2018;
Kong et al., "HiFi-GAN", 2020, for frames that are not centred. 22.05 kHz, 1024 samples every 256, 80 mels.
Pre-emphasis is that of Wang et al., "Tacotron", 2017, section 4; the ceiling of 0 dB that of programs after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.options import option
from nnet.features.framing import Framing
from nnet.features.spectrum import check_sizes, periodic_hann, slaney_filters, windowed_power

FULL_SCALE = 32768.0


@dataclass
class LogmelOptions:
    """All that decides a log mel spectrum's value."""

    sample_frequency: float = option(22050.0, "Sampling rate in Hz; audio of another is resampled")
    fft_length: int = option(1024, "Samples of the FFT, and of a frame")
    window_length: int = option(1024, "Samples of the periodic Hann window, in the frame's middle")
    hop_length: int = option(256, "Samples from one frame to the next")
    num_mel_bins: int = option(80, "Number of mel filters")
    low_freq: float = option(0.0, "Lower edge of the first filter in Hz")
    high_freq: float = option(8000.0, "Upper edge of the last filter in Hz; if 0 or less, counted from half the rate")
    center: bool = option(
        True,
        "If true, frame t is centred at t hops: the wave is mirrored by half a frame; if false, mirrored by half of "
        "what a frame has beyond a hop",
    )
    power_floor: float = option(0.0, "Added to the power before its root is taken (HiFi-GAN: 1e-9)")
    floor: float = option(1e-5, "Least mel energy; its log is the value of silence, -11.51")
    peak: float = option(0.0, "Bring the utterance's greatest sample to this share of full scale; 0: as it is")
    pre_emphasis: float = option(0.0, "Share of the sample before that is taken off each, over the whole utterance")
    ceiling: float = option(0.0, "Greatest mel energy; 0: none")

    @property
    def dim(self) -> int:
        """Columns of the features."""
        return self.num_mel_bins

    @property
    def framing(self) -> Framing:
        """Where the frames lie."""
        mirrored = (self.fft_length if self.center else self.fft_length - self.hop_length) // 2
        return Framing(self.hop_length, self.fft_length, mirrored, mirrored, "reflect")

    def check(self) -> None:
        """Raises KaldiError if the options contradict each other."""
        check_sizes(sample_frequency=self.sample_frequency, fft_length=self.fft_length, hop_length=self.hop_length)
        check_sizes(window_length=self.window_length, floor=self.floor)
        if self.window_length > self.fft_length or self.hop_length > self.fft_length:
            raise KaldiError(
                f"--window-length={self.window_length} and --hop-length={self.hop_length}: expected at most"
                f" --fft-length={self.fft_length}"
            )
        if not 0 <= self.peak <= 1 or self.power_floor < 0:
            raise KaldiError(
                f"--peak={self.peak:g} and --power-floor={self.power_floor:g}: expected a share from 0 to 1, and a"
                " number that is not negative"
            )
        if not 0 <= self.pre_emphasis <= 1 or not (self.ceiling == 0 or self.ceiling > self.floor):
            raise KaldiError(
                f"--pre-emphasis={self.pre_emphasis:g} and --ceiling={self.ceiling:g}: expected a share from 0 to 1,"
                f" and 0 or a number above --floor={self.floor:g}"
            )
        slaney_filters(self.sample_frequency, self.fft_length, self.num_mel_bins, self.low_freq, self.high_freq)


def compute_logmel(
    samples: NDArray[np.float32], options: LogmelOptions, framing: Framing | None = None
) -> NDArray[np.float32]:
    """The log mel spectrum of a wave.

    Args:
        samples: float32 (N,) in 16-bit scale, at the options' rate.
        options: checked.
        framing: other frames than the options'.

    Returns:
        float32 (T, num_mel_bins), natural log. Centred, T = 1 + N // hop; else T = N // hop.
    """
    framing = framing or options.framing
    rate, fft_length = options.sample_frequency, options.fft_length
    filters = slaney_filters(rate, fft_length, options.num_mel_bins, options.low_freq, options.high_freq)
    window = periodic_hann(options.window_length, fft_length)
    wave = _emphasised(_scaled(samples, options.peak), options.pre_emphasis)
    features = np.empty((framing.num_frames(len(samples)), options.dim), np.float32)
    for rows, frames in framing.blocks(wave):
        magnitudes = np.sqrt(windowed_power(frames, window) + options.power_floor)
        features[rows] = np.log(np.clip(magnitudes @ filters, options.floor, options.ceiling or np.inf))
    return features


def _scaled(samples: NDArray[np.float32], peak: float) -> NDArray[np.float64]:
    """Samples in [-1, 1], or with their greatest at `peak`; digital silence stays what it is."""
    scaled = samples.astype(np.float64) / FULL_SCALE
    greatest = np.abs(scaled).max(initial=0.0)
    return scaled * (peak / greatest) if peak > 0 and greatest > 0 else scaled


def _emphasised(samples: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """x(n) − share · x(n − 1); nothing stands before the first sample."""
    return samples - share * np.concatenate([[0.0], samples[:-1]]) if share > 0 and len(samples) else samples
