"""The baseline without a network: mean and standard deviation of each feature over the frames of an utterance.

python3 -m scoring.frame_statistics <feats-rspecifier> <vector-wspecifier>
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from minikaldi.running import run_pipes_inside

logger = logging.getLogger(__name__)

VARIANCE_FLOOR = 1e-10


def frame_statistics(feats: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean and standard deviation over frames.

    Args:
        feats: (T, F), T at least 1.

    Returns:
        float32 (2F,): the means, then the standard deviations. The variance is divided by T, so that one frame has one,
        and is at least `VARIANCE_FLOOR`.

    Raises:
        InputError: no frames, or NaN or infinity in the features.
    """
    values = np.asarray(feats, dtype=np.float64)
    if len(values) == 0:
        raise InputError("no frames")
    if not np.isfinite(values).all():
        raise InputError("the features have NaN or infinity")
    deviation = np.sqrt(np.maximum(values.var(axis=0), VARIANCE_FLOOR))
    return np.concatenate([values.mean(axis=0), deviation]).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Write one vector per utterance; utterances without frames are dropped and counted."""
    run_pipes_inside()
    parser = Parser(prog="python3 -m scoring.frame_statistics", description=main.__doc__)
    parser.add_argument("feats", metavar="feats-rspecifier")
    parser.add_argument("vectors", metavar="vector-wspecifier")
    args = parser.parse_args(argv)
    num_done, empty = 0, []
    with sequential(args.feats, FLOAT_MATRIX) as utterances, writer(args.vectors, FLOAT_VECTOR) as vectors:
        for utt_id, feats in utterances:
            if len(feats) == 0:
                empty.append(utt_id)
                continue
            try:
                vectors.write(utt_id, frame_statistics(feats))
            except InputError as error:
                raise InputError(f"{utt_id}: {error}") from error
            num_done += 1
    if empty:
        logger.warning("%d utterances have no frames and are dropped (first: %s)", len(empty), empty[0])
    if num_done == 0:
        raise InputError(f"{args.feats}: no utterance has frames")
    logger.info("%d utterances", num_done)
    return 0


if __name__ == "__main__":
    run_program(main)
