"""ivector-copy-plda: copy a PLDA model, in binary or text, with smoothing if wanted."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.ivectorbin.log_format import vector_text
from minikaldi.ivectorbin.plda_holder import PLDA
from minikaldi.ivectorbin.plda_options import PldaOptions


@dataclass
class CopyPldaOptions(PldaOptions):
    """Options of ivector-copy-plda; those about length have no effect, as in Kaldi."""

    smoothing: float = option(0.0, "Factor in [0, 1] by which between-class covariance is added to the within-class")
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-copy-plda",
    usage="<plda-in> <plda-out>",
    num_args=(2, 2),
    options=CopyPldaOptions,
    about="Copy a PLDA object, possibly smoothing its within-class covariance.",
)
def main(run: CommandRun, options: CopyPldaOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-copy-plda.cc."""
    plda = run.read_object(args[0], PLDA)
    if options.smoothing != 0.0:
        if not 0.0 <= options.smoothing <= 1.0:
            raise KaldiError(f"--smoothing={options.smoothing:g} is out of range: expected 0 to 1")
        run.log(
            f"Smoothing within-class covariance by {options.smoothing:g}, Psi is initially:  {vector_text(plda.psi)}"
        )
        plda = plda.smoothed(options.smoothing)
        run.log(f"New value of Psi is  {vector_text(plda.psi)}")
    run.write_object(args[1], PLDA, plda, options.binary)
    return 0
