"""gmm-global-to-fgmm: a full-covariance GMM with the variances of a diagonal one.

Source: Kaldi gmmbin/gmm-global-to-fgmm.cc.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.gmm.conversions import full_of_diag
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.gmmbin.model_options import BinaryOptions


@command(
    "gmm-global-to-fgmm",
    usage="[options] 1.gmm 1.fgmm",
    num_args=(2, 2),
    options=BinaryOptions,
    about="Convert a diagonal-covariance GMM to a full-covariance GMM.",
)
def main(run: CommandRun, options: BinaryOptions, args: list[str]) -> int:
    """Convert the model."""
    model = run.read_object(args[0], DIAG_GMM)
    run.write_object(args[1], FULL_GMM, full_of_diag(model), options.binary)
    run.log(f"Written full GMM to {args[1]}")
    return 0
