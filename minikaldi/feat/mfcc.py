"""Mel-frequency cepstral coefficients.

Source: Kaldi, feat/feature-mfcc.cc. Kaldi's FFT is float32 and this one float64, so 99.9 % of the values agree within
5e-3 and all within 0.1 (the differences are in quiet frames and filters).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.feat.frames import FLOAT32_EPSILON, FrameOptions, frame_blocks, log_energy, num_frames, windowed
from minikaldi.feat.mel import MelOptions, log_mel_energies, mel_filters
from minikaldi.feat.spectrum import at_rate, floored_energy, frame_power_spectra


@dataclass
class MfccOptions(FrameOptions, MelOptions):
    """All options that determine an MFCC's value."""

    num_ceps: int = option(13, "Number of cepstra, C0 included")
    use_energy: bool = option(True, "Put the log energy in place of C0")
    energy_floor: float = option(0.0, "Floor on the energy (not its log) that replaces C0; 0 for none")
    raw_energy: bool = option(True, "Take that energy before pre-emphasis and window")
    cepstral_lifter: float = option(22.0, "Constant that scales the cepstra; 0 for no liftering")
    htk_compat: bool = option(False, "Put energy or C0 last, and scale C0 by the square root of two")

    @property
    def dim(self) -> int:
        """Columns of the features."""
        return self.num_ceps


def compute_mfcc(
    samples: NDArray[np.float32],
    sample_rate: float,
    options: MfccOptions,
    vtln_warp: float = 1.0,
    dither_key: str = "",
) -> NDArray[np.float32]:
    """The MFCCs of a wave.

    Args:
        samples: float32 (N,) in 16-bit scale.
        sample_rate: Hz of `samples`.
        options: all that determines the values.
        vtln_warp: the speaker's vocal-tract factor, 1 for none.
        dither_key: the utterance's key, from which the dither is drawn.

    Returns:
        float32 (T, num_ceps); T is 0 if the wave is too short for a frame.

    Raises:
        KaldiError: the rate is not the configured one and may not be changed, or the options contradict each other.
    """
    if not 1 <= options.num_ceps <= options.num_mel_bins:
        raise KaldiError(f"--num-ceps={options.num_ceps} must lie between 1 and --num-mel-bins={options.num_mel_bins}")
    samples = at_rate(samples, sample_rate, options)
    filters = mel_filters(options, options.sample_frequency, options.fft_samples, vtln_warp)
    cepstra = np.empty((num_frames(len(samples), options), options.num_ceps), np.float32)
    for rows, frames in frame_blocks(samples, options, dither_key):
        cepstra[rows] = _cepstra(frames, options, filters)
    return cepstra


def _cepstra(frames: NDArray[np.float32], options: MfccOptions, filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (T, L) -> cepstra (T, num_ceps)."""
    ready = windowed(frames, options)
    mel_energies = frame_power_spectra(ready, options.fft_samples) @ filters  # (T, num_mel_bins)
    if options.debug_mel:
        log_mel_energies(mel_energies)
    log_mel = np.log(np.maximum(mel_energies, FLOAT32_EPSILON))
    cepstra = log_mel @ lifted_dct(options.num_mel_bins, options.num_ceps, options.cepstral_lifter)
    if options.use_energy:
        energy = log_energy(frames if options.raw_energy else ready)
        cepstra[:, 0] = floored_energy(energy, options.energy_floor)
    return _htk_order(cepstra, options.use_energy) if options.htk_compat else cepstra


@lru_cache(maxsize=16)
def lifted_dct(num_mel_bins: int, num_ceps: int, lifter: float) -> NDArray[np.float32]:
    """Orthonormal DCT-II with liftering folded in, float32 (num_mel_bins, num_ceps): `log_mel @ it` are the cepstra."""
    quefrency = np.arange(num_ceps)
    dct = np.sqrt(2.0 / num_mel_bins) * np.cos(
        np.pi / num_mel_bins * np.outer(np.arange(num_mel_bins) + 0.5, quefrency)
    )
    dct[:, 0] = np.sqrt(1.0 / num_mel_bins)
    scale = 1.0 + 0.5 * lifter * np.sin(np.pi * quefrency / lifter) if lifter != 0.0 else np.ones(num_ceps)
    return (dct * scale).astype(np.float32)


def _htk_order(cepstra: NDArray[np.float32], has_energy: bool) -> NDArray[np.float32]:
    """Move column 0 to the end; HTK's C0 is sqrt(2) times Kaldi's."""
    first = cepstra[:, :1] if has_energy else cepstra[:, :1] * np.float32(np.sqrt(2.0))
    return np.hstack([cepstra[:, 1:], first])
