"""select-voiced-frames: the rows that are voiced by the VAD. Source: Kaldi, ivectorbin/select-voiced-frames.cc."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, KaldiError
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR
from minikaldi.options import NoOptions


class UnusableUtteranceError(InputError):
    """An utterance that must be left out; the text is the reason."""


def voiced_frames(feats: NDArray[np.float32], vad: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The voiced rows.

    Args:
        feats: float32 (T, F).
        vad: float32 (T,), 1 if voiced, else 0; None if the utterance has no VAD.

    Returns:
        float32 (T', F), T' >= 1.

    Raises:
        UnusableUtteranceError: no rows or decisions, different lengths, or no voiced row.
        KaldiError: decisions other than 0 and 1.
    """
    if len(feats) == 0:
        raise UnusableUtteranceError("Empty feature matrix")
    if vad is None:
        raise UnusableUtteranceError("No VAD input found")
    if len(feats) != len(vad):
        raise UnusableUtteranceError(f"Mismatch in number of frames, {len(feats)} for features and {len(vad)} for VAD,")
    if not vad.any():
        raise UnusableUtteranceError("No features were judged as voiced")
    voiced = vad == 1.0
    if not (voiced | (vad == 0.0)).all():
        raise KaldiError("the VAD holds values other than 0 and 1; is the second table the output of compute-vad?")
    return feats.compress(voiced, axis=0)  # half the time of feats[voiced]


@command(
    "select-voiced-frames",
    usage="[options] <feats-rspecifier> <vad-rspecifier> <feats-wspecifier>",
    num_args=(3, 3),
    options=NoOptions,
    about="Select the frames that compute-vad judged voiced.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Select from each matrix of a table; an utterance that fails is counted and left out, with a warning."""
    num_done = num_errors = 0
    with (
        run.sequential(args[0], FLOAT_MATRIX) as feats,
        run.random_access(args[1], FLOAT_VECTOR) as decisions,
        run.writer(args[2], FLOAT_MATRIX) as selected,
    ):
        for key, matrix in feats:
            # The decisions of an empty matrix are not looked up: they may not exist either.
            vad = decisions[key] if len(matrix) and key in decisions else None
            try:
                frames = voiced_frames(matrix, vad)
            except UnusableUtteranceError as error:
                run.warning(f"{error} for utterance {key}")
                num_errors += 1
                continue
            except KaldiError as error:
                raise KaldiError(f"{key}: {error}") from error
            selected.write(key, frames)
            num_done += 1
    run.log(f"Done selecting voiced frames; processed {num_done} utterances, {num_errors} had errors.")
    return 0 if num_done else 1
