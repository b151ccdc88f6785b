"""Steps that MFCC and filter bank share: the check of the rate, the power spectrum, the floor of the energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.feat.frames import FrameOptions
from minikaldi.feat.resample import kaldi_resample


def at_rate(samples: NDArray[np.float32], sample_rate: float, options: FrameOptions) -> NDArray[np.float32]:
    """The wave at the configured rate: as it is, or resampled if that is allowed.

    Args:
        samples: float32 (N,).
        sample_rate: Hz of `samples`.
        options: --sample-frequency, --allow-downsample, --allow-upsample.

    Returns:
        float32 (M,).

    Raises:
        KaldiError: the rates differ and may not be made equal.
    """
    wanted = options.sample_frequency
    if sample_rate == wanted:
        return samples.astype(np.float32, copy=False)
    if not (options.allow_downsample if sample_rate > wanted else options.allow_upsample):
        raise KaldiError(
            f"audio is {sample_rate:g} Hz, --sample-frequency (in the conf file) says {wanted:g}; "
            "resample, or set --allow-downsample/--allow-upsample"
        )
    return kaldi_resample(samples, round(sample_rate), round(wanted))


def frame_power_spectra(frames: NDArray[np.float32], fft_samples: int) -> NDArray[np.float32]:
    """|FFT|² of each frame, float32 (T, L) -> (T, fft_samples // 2 + 1).

    The FFT is numpy's float64 one: 0.71 µs for a frame of 512 samples. scipy's float32 FFT takes 0.58 µs and would make
    MFCC 1.18 times as fast, but its import takes 0.15 s, and it loses digits: for a pure tone, filters are 90 dB below
    the peak, and two float32 FFTs then differ by more than 5e-3 in the cepstra (in 6 % of the values of the golden case
    `mfcc-stereo-ch1`, in none with float64).
    """
    padded = np.empty((len(frames), fft_samples))
    padded[:, : frames.shape[1]] = frames
    padded[:, frames.shape[1] :] = 0
    spectrum = np.fft.rfft(padded, axis=1).astype(np.complex64)
    squares = np.square(spectrum.view(np.float32))
    return squares[:, ::2] + squares[:, 1::2]


def floored_energy(energy: NDArray[np.float32], energy_floor: float) -> NDArray[np.float32]:
    """Log energies (T,), floored at the log of the floor; a floor of 0 means none."""
    return np.maximum(energy, np.float32(np.log(energy_floor))) if energy_floor > 0 else energy
