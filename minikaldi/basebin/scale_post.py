"""scale-post: posteriors times a number, or times a number for each utterance.

Source: Kaldi bin/scale-post.cc and hmm/posterior.cc (ScalePosterior).
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from common.errors import KaldiError
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT, POSTERIOR_ARRAYS, FramePosteriors, is_rspecifier
from minikaldi.io.primitives import to_float
from minikaldi.options import NoOptions


@command(
    "scale-post",
    usage="<post-rspecifier> (<scale-rspecifier>|<scale>) <post-wspecifier>",
    num_args=(3, 3),
    about="Scale posteriors by one number, or by a number for each utterance.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Scale; the exit code is 1 if nothing was written."""
    scaled = missing = 0
    with ExitStack() as opened:
        scales = opened.enter_context(run.random_access(args[1], FLOAT)) if is_rspecifier(args[1]) else None
        scale = 0.0 if scales is not None else _number(args[1])
        posteriors = opened.enter_context(run.sequential(args[0], POSTERIOR_ARRAYS))
        out = opened.enter_context(run.writer(args[2], POSTERIOR_ARRAYS))
        for key, posterior in posteriors:
            if scales is not None and key not in scales:
                missing += 1
                continue
            out.write(key, _scaled(posterior, scale if scales is None else scales[key]))
            scaled += 1
    run.log(f"Done {scaled} posteriors;  {missing} had no scales.")
    return 0 if scaled else 1


def _number(word: str) -> float:
    try:
        return to_float(word)
    except ValueError as exc:
        raise KaldiError(f"Bad second argument {word!r} (expected scale or scale rspecifier)") from exc


def _scaled(posterior: FramePosteriors, scale: float) -> FramePosteriors:
    """The shares times the scale; with the scale 0 the frames are empty, as in Kaldi."""
    if scale == 0:
        return FramePosteriors(np.zeros_like(posterior.counts), posterior.indices[:0], posterior.shares[:0])
    return FramePosteriors(posterior.counts, posterior.indices, posterior.shares * np.float32(scale))
