"""gmm-global-copy: a copy of a diagonal GMM, in binary or text.

Source: Kaldi gmmbin/gmm-global-copy.cc.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmmbin.model_options import BinaryOptions


@command(
    "gmm-global-copy",
    usage="[options] <model-in> <model-out>",
    num_args=(2, 2),
    options=BinaryOptions,
    about="Copy a diagonal-covariance GMM.",
)
def main(run: CommandRun, options: BinaryOptions, args: list[str]) -> int:
    """Copy the model; its constants are computed again, as in Kaldi."""
    model = run.read_object(args[0], DIAG_GMM)
    run.write_object(args[1], DIAG_GMM, model, options.binary)
    run.log(f"Written model to {args[1]}")
    return 0
