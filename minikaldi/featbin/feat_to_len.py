"""feat-to-len. Source: Kaldi featbin/feat-to-len.cc."""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, INT32
from minikaldi.options import NoOptions


@command(
    "feat-to-len",
    usage="[options] <in-rspecifier> [<out-wspecifier>]",
    num_args=(1, 2),
    about="Write the number of frames: of each utterance to a table, or of all together to the standard output.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """One number per utterance, or their sum."""
    with run.sequential(args[0], FLOAT_MATRIX) as feats:
        if len(args) == 2:
            with run.writer(args[1], INT32) as lengths:
                for key, matrix in feats:
                    lengths.write(key, matrix.shape[0])
        else:
            total = sum(matrix.shape[0] for _, matrix in feats)
            with run.open_write("-") as stream:
                stream.write(b"%d\n" % total)
    return 0
