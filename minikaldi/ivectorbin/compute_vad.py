"""compute-vad: energy-based voice activity detection. Source: Kaldi, ivectorbin/compute-vad.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.featbin.general_matrix import GENERAL_MATRIX, CompressedMatrix
from minikaldi.io import FLOAT_VECTOR
from minikaldi.ivector.energy_vad import EnergyVadOptions, energy_vad


@dataclass
class ComputeVadOptions(EnergyVadOptions):
    """The threshold, and how unvoiced utterances are handled."""

    omit_unvoiced_utts: bool = option(False, "Write nothing for an utterance without a voiced frame")


@command(
    "compute-vad",
    usage="[options] <feats-rspecifier> <vad-wspecifier>",
    num_args=(2, 2),
    options=ComputeVadOptions,
    about="Write for each frame 1 if it is voiced and 0 if not, judged by its log energy (column 0 of the features).",
)
def main(run: CommandRun, options: ComputeVadOptions, args: list[str]) -> int:
    """Decide for each matrix of a table; empty matrices are left out, and unvoiced utterances counted."""
    num_done = num_empty = num_unvoiced = num_voiced_frames = num_frames = 0
    with run.sequential(args[0], GENERAL_MATRIX) as feats, run.writer(args[1], FLOAT_VECTOR) as decisions:
        for key, stored in feats:
            matrix = with_energy(stored)
            if len(matrix) == 0:
                run.warning(f"Empty feature matrix for utterance {key}")
                num_empty += 1
                continue
            num_nan = int(np.isnan(matrix[:, 0]).sum())
            if num_nan:
                run.warning(f"The log energy of {num_nan} of {len(matrix)} frames of utterance {key} is NaN")
            vad = energy_vad(matrix, options)
            num_voiced = int(vad.sum())
            num_voiced_frames += num_voiced
            num_frames += len(vad)
            if num_voiced:
                num_done += 1
            else:
                run.warning(f"No frames were judged voiced for utterance {key}")
                num_unvoiced += 1
            if num_voiced or not options.omit_unvoiced_utts:
                decisions.write(key, vad)
    run.log(
        f"Applied energy based voice activity detection; processed {num_done} utterances successfully; "
        f"{num_empty} had empty features, and {num_unvoiced} were completely unvoiced."
    )
    run.log(f"Proportion of voiced frames was {num_voiced_frames / max(1, num_frames):g} over {num_frames} frames.")
    return 0 if num_done else 1


def with_energy(matrix: npt.NDArray[np.float32] | CompressedMatrix) -> npt.NDArray[np.float32]:
    """The matrix (T, F); of a compressed one only the first column (T, 1), since decoding takes most of the time."""
    if isinstance(matrix, CompressedMatrix):
        return matrix.part(slice(None), slice(0, 1)).values()
    return matrix
