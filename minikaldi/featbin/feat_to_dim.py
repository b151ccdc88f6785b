"""feat-to-dim. Source: Kaldi featbin/feat-to-dim.cc."""

from __future__ import annotations

from common.errors import KaldiError
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, INT32, is_rspecifier
from minikaldi.options import NoOptions


@command(
    "feat-to-dim",
    usage="[options] <feat-rspecifier> (<dim-wspecifier>|<dim-wxfilename>)",
    num_args=(2, 2),
    about="Write the feature dimension: of each utterance to a table, of the first one to a file.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """One number per utterance, or one in all."""
    with run.sequential(args[0], FLOAT_MATRIX) as feats:
        if is_rspecifier(args[1]):
            with run.writer(args[1], INT32) as dims:
                for key, matrix in feats:
                    dims.write(key, matrix.shape[1])
            return 0
        for _, matrix in feats:
            with run.open_write(args[1]) as stream:
                stream.write(b"%d\n" % matrix.shape[1])
            return 0
    raise KaldiError(f"{args[0]}: no features (empty archive or script)")
