"""Log mel filter-bank energies.

Source: Kaldi, feat/feature-fbank.cc; agreement as for the MFCC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.feat.frames import FLOAT32_EPSILON, FrameOptions, log_energy, windowed_blocks
from minikaldi.feat.mel import MelOptions, log_mel_energies, mel_filters
from minikaldi.feat.spectrum import at_rate, floored_energy, power_spectrum
from minikaldi.options import option


@dataclass
class FbankOptions(FrameOptions, MelOptions):
    """All that decides a filter-bank feature's value."""

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
        options: all that decides the values.
        vtln_warp: the speaker's vocal-tract factor, 1 for none.
        dither_key: the utterance's key, from which the dither is drawn.

    Returns:
        float32 (T, num_mel_bins), one column more with --use-energy; T is 0 where the wave is too short for a frame.

    Raises:
        KaldiError: the rate is not the configured one and may not be changed, or the options contradict each other.
    """
    samples = at_rate(samples, sample_rate, options)
    blocks = [
        _mel_features(frames, energy, options, vtln_warp)
        for frames, energy in windowed_blocks(samples, options, dither_key)
    ]
    return np.concatenate(blocks) if blocks else np.zeros((0, options.dim), np.float32)


def _mel_features(
    frames: NDArray[np.float32], raw_energy: NDArray[np.float32], options: FbankOptions, vtln_warp: float
) -> NDArray[np.float32]:
    """Windowed frames (T, L) and their energies (T,) -> features (T, dim)."""
    filters = mel_filters(options, options.sample_frequency, options.fft_samples, vtln_warp)
    spectrum = power_spectrum(frames, options.fft_samples)
    features = (spectrum if options.use_power else np.sqrt(spectrum)) @ filters  # (T, num_mel_bins)
    if options.debug_mel:
        log_mel_energies(features)
    if options.use_log_fbank:
        features = np.log(np.maximum(features, FLOAT32_EPSILON))
    if not options.use_energy:
        return features
    energy = floored_energy(raw_energy if options.raw_energy else log_energy(frames), options.energy_floor)[:, None]
    return np.hstack([features, energy] if options.htk_compat else [energy, features])
