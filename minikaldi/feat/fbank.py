"""Log mel filter-bank energies.

Source: Kaldi, feat/feature-fbank.cc; agreement as for the MFCC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.options import option
from minikaldi.feat.frames import FLOAT32_EPSILON, FrameOptions, frame_blocks, log_energy, num_frames, windowed
from minikaldi.feat.mel import MelOptions, log_mel_energies, mel_filters
from minikaldi.feat.spectrum import at_rate, floored_energy, frame_power_spectra


@dataclass
class FbankOptions(FrameOptions, MelOptions):
    """All options that determine a filter-bank feature's value."""

    use_energy: bool = option(False, "Add the log energy as one more column")
    energy_floor: float = option(0.0, "Floor on that energy (not its log); 0 for none")
    raw_energy: bool = option(True, "Take that energy before pre-emphasis and window")
    htk_compat: bool = option(False, "Put the energy last")
    use_log_fbank: bool = option(True, "Take the log of the mel energies")
    use_power: bool = option(True, "Sum the power spectrum; if false, the magnitude")

    @property
    def dim(self) -> int:
        """Columns of the features."""
        return self.num_mel_bins + int(self.use_energy)


def compute_fbank(
    samples: NDArray[np.float32],
    sample_rate: float,
    options: FbankOptions,
    vtln_warp: float = 1.0,
    dither_key: str = "",
) -> NDArray[np.float32]:
    """The mel filter-bank features of a wave.

    Args:
        samples: float32 (N,) in 16-bit scale.
        sample_rate: Hz of `samples`.
        options: all that determines the values.
        vtln_warp: the speaker's vocal-tract factor, 1 for none.
        dither_key: the utterance's key, from which the dither is drawn.

    Returns:
        float32 (T, num_mel_bins), one column more with --use-energy; T is 0 if the wave is too short for a frame.

    Raises:
        KaldiError: the rate is not the configured one and may not be changed, or the options contradict each other.
    """
    samples = at_rate(samples, sample_rate, options)
    filters = mel_filters(options, options.sample_frequency, options.fft_samples, vtln_warp)
    features = np.empty((num_frames(len(samples), options), options.dim), np.float32)
    for rows, frames in frame_blocks(samples, options, dither_key):
        features[rows] = _mel_features(frames, options, filters)
    return features


def _mel_features(
    frames: NDArray[np.float32], options: FbankOptions, filters: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Frames (T, L) -> features (T, dim)."""
    ready = windowed(frames, options)
    spectrum = frame_power_spectra(ready, options.fft_samples)
    features = (spectrum if options.use_power else np.sqrt(spectrum)) @ filters  # (T, num_mel_bins)
    if options.debug_mel:
        log_mel_energies(features)
    if options.use_log_fbank:
        features = np.log(np.maximum(features, FLOAT32_EPSILON))
    if not options.use_energy:
        return features
    energy = floored_energy(log_energy(frames if options.raw_energy else ready), options.energy_floor)[:, None]
    return np.hstack([features, energy] if options.htk_compat else [energy, features])
