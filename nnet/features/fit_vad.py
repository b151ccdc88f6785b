"""Voice activity for features that leave out an unfinished last frame:

    python3 -m nnet.features.fit_vad <num-frames-rspecifier> <vad-rspecifier> <vad-wspecifier>

Kaldi's frames with --snip-edges=false count a last shift that is at least half there; rows of samples do not. The one
decision more is cut off; if the lengths differ by more, the utterance is left out with a warning.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.command import Command, Run, run_command
from minikaldi.io import FLOAT_VECTOR, INT32
from minikaldi.options import NoOptions


def fit_decisions(vad: NDArray[np.float32], num_frames: int) -> NDArray[np.float32]:
    """Decisions of `num_frames` frames, which are as many as there are or one fewer: (T,) or (T + 1,) -> (T,).

    Raises:
        KaldiError: another number.
    """
    if not num_frames <= len(vad) <= num_frames + 1:
        raise KaldiError(
            f"{len(vad)} decisions on voice activity for {num_frames} frames; make both of the same audio, the voice"
            " activity every 10 ms"
        )
    return vad[:num_frames]


def fit_table(run: Run, options: NoOptions, args: list[str]) -> int:
    """Fits each utterance's decisions; 0 if at least one was done."""
    num_done = num_errors = 0
    with (
        run.sequential(args[0], INT32) as counts,
        run.random_access(args[1], FLOAT_VECTOR) as decisions,
        run.writer(args[2], FLOAT_VECTOR) as table,
    ):
        for key, num_frames in counts:
            try:
                if key not in decisions:
                    raise KaldiError(f"has no line in {args[1]}")
                vad = fit_decisions(decisions[key], num_frames)
            except KaldiError as error:
                run.warning(f"{key}: {error}")
                num_errors += 1
                continue
            table.write(key, vad)
            num_done += 1
    run.log(f"Done {num_done} utterances, {num_errors} had errors.")
    return 0 if num_done else 1


COMMAND = Command(
    "fit-vad",
    "<num-frames-rspecifier> <vad-rspecifier> <vad-wspecifier>",
    "Cut voice activity to features that leave out an unfinished last frame.",
    (3, 3),
    NoOptions,
    fit_table,
)

if __name__ == "__main__":
    sys.exit(run_command([COMMAND.name, *sys.argv[1:]], declared=COMMAND))
