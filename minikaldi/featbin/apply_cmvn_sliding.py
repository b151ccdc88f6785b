"""apply-cmvn-sliding: sliding-window mean and variance normalisation. Source: Kaldi, featbin/apply-cmvn-sliding.cc."""

from __future__ import annotations

from common.errors import KaldiError
from minikaldi.command import CommandRun, command
from minikaldi.feat.sliding_cmvn import SlidingCmvnOptions, sliding_cmvn
from minikaldi.io import FLOAT_MATRIX


@command(
    "apply-cmvn-sliding",
    usage="[options] <feats-rspecifier> <feats-wspecifier>",
    num_args=(2, 2),
    options=SlidingCmvnOptions,
    about="Apply sliding-window cepstral mean (and optionally variance) normalization to each utterance.",
)
def main(run: CommandRun, options: SlidingCmvnOptions, args: list[str]) -> int:
    """Normalise each matrix of a table; an empty one is counted and left out, with a warning."""
    if options.center and options.min_cmn_window > options.cmn_window:
        raise KaldiError(
            f"--min-cmn-window={options.min_cmn_window} is more than --cmn-window={options.cmn_window}; with "
            "--center=true it has no effect, but Kaldi refuses it: lower it to --cmn-window"
        )
    num_done = num_errors = 0
    with run.sequential(args[0], FLOAT_MATRIX) as feats, run.writer(args[1], FLOAT_MATRIX) as normalized:
        for key, matrix in feats:
            if len(matrix) == 0:
                run.warning(f"Empty feature matrix for utterance {key}")
                num_errors += 1
                continue
            normalized.write(key, sliding_cmvn(matrix, options))
            num_done += 1
    what = "mean and variance" if options.norm_vars else "mean"
    run.log(f"Applied sliding-window cepstral {what} normalization to {num_done} utterances, {num_errors} had errors.")
    return 0 if num_done else 1
