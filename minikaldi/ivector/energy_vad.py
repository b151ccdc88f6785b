"""Energy-based voice activity: a frame is voiced if enough frames around it have a log energy above a threshold.

Source: Kaldi, ivector/voice-activity-detection.cc. Comparisons are in float32, as in Kaldi, so that decisions are the
same; the mean energy is summed in float64, in Kaldi in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.options import CommandOptions


@dataclass
class EnergyVadOptions(CommandOptions):
    """The threshold and the neighbourhood."""

    vad_energy_threshold: float = option(5.0, "Constant term of the threshold on the log energy (column 0)")
    vad_energy_mean_scale: float = option(0.5, "Times the utterance's mean log energy, added to the threshold")
    vad_frames_context: int = option(0, "Frames to each side that take part in a frame's decision")
    vad_proportion_threshold: float = option(
        0.6, "Share of the frames in the window that must exceed the threshold for the frame to be voiced"
    )


def energy_vad(feats: NDArray[np.float32], options: EnergyVadOptions) -> NDArray[np.float32]:
    """Voiced or not, for each frame.

    Args:
        feats: float32 (T, F), T >= 1, whose column 0 is the log energy.
        options: the threshold.

    Returns:
        float32 (T,), 1 where voiced, 0 where not.

    Raises:
        KaldiError: a negative context or mean scale, or a proportion outside of 0 … 1.
    """
    if options.vad_frames_context < 0 or options.vad_energy_mean_scale < 0:
        raise KaldiError(
            f"--vad-frames-context={options.vad_frames_context} and "
            f"--vad-energy-mean-scale={options.vad_energy_mean_scale:g} must not be negative"
        )
    if not 0 < options.vad_proportion_threshold < 1:
        raise KaldiError(f"--vad-proportion-threshold={options.vad_proportion_threshold:g} must lie between 0 and 1")
    energy = feats[:, 0]
    threshold = options.vad_energy_threshold
    if options.vad_energy_mean_scale != 0:  # otherwise one frame of infinite energy would decide all others
        threshold += options.vad_energy_mean_scale * energy.mean(dtype=np.float64)
    over = np.concatenate([[0], np.cumsum(energy > np.float32(threshold))])  # over[t]: frames before t over it
    frame = np.arange(len(energy))
    start = np.maximum(frame - options.vad_frames_context, 0)
    end = np.minimum(frame + options.vad_frames_context + 1, len(energy))
    needed = (end - start).astype(np.float32) * np.float32(options.vad_proportion_threshold)
    return ((over[end] - over[start]).astype(np.float32) >= needed).astype(np.float32)
