"""fgmm-global-to-gmm: a diagonal GMM with the variances of a full-covariance one.

Source: Kaldi fgmmbin/fgmm-global-to-gmm.cc.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.gmm.conversions import diag_of_full
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.gmmbin.model_options import BinaryOptions


@command(
    "fgmm-global-to-gmm",
    usage="[options] 1.fgmm 1.gmm",
    num_args=(2, 2),
    options=BinaryOptions,
    about="Convert a full-covariance GMM to a diagonal-covariance GMM.",
)
def main(run: CommandRun, options: BinaryOptions, args: list[str]) -> int:
    """Convert the model."""
    model = run.read_object(args[0], FULL_GMM)
    run.write_object(args[1], DIAG_GMM, diag_of_full(model), options.binary)
    run.log(f"Written diagonal GMM to {args[1]}")
    return 0
