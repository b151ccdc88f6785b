"""ivector-adapt-plda: a PLDA model adapted to vectors of another domain, without their speakers.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it. Rows of the
transform may have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.plda_adaptation import AdaptationOptions, AdaptedPlda, adapt_plda
from minikaldi.ivectorbin.log_format import vector_text
from minikaldi.ivectorbin.plda_holder import PLDA
from minikaldi.ivectorbin.vector_blocks import vector_blocks


@dataclass
class AdaptPldaOptions(AdaptationOptions):
    """Options of ivector-adapt-plda."""

    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-adapt-plda",
    usage="[options] <plda-in> <ivectors-rspecifier> <plda-out>",
    num_args=(3, 3),
    options=AdaptPldaOptions,
    about="Adapt a PLDA object to vectors from another domain than its training data, whose speakers are not known.",
)
def main(run: CommandRun, options: AdaptPldaOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-adapt-plda.cc."""
    plda = run.read_object(args[0], PLDA)
    moments = read_moments(run, args[1])
    try:
        adapted = adapt_plda(plda, moments, options)
    except KaldiError as error:
        raise KaldiError(f"{args[1]}: {error}") from error
    log_directions(run, adapted)
    run.log(
        f"Old diagonal of between-class covar was:  {vector_text(plda.psi)}, new diagonal is  "
        f"{vector_text(adapted.plda.psi)} ({moments.num_vectors} vectors)"
    )
    run.write_object(args[2], PLDA, adapted.plda, options.binary)
    return 0


def read_moments(run: CommandRun, ivectors: str) -> Moments:
    """Moments of all vectors of a table.

    Raises:
        KaldiError: the table is empty, dimensions differ, or a vector holds NaN.
    """
    moments: Moments | None = None
    for block in vector_blocks(run, ivectors):
        moments = moments or Moments(block.vectors.shape[1])
        moments.add(block.vectors)
    if moments is None:
        raise KaldiError(f"{ivectors}: No iVectors read; adaptation needs vectors of the new domain")
    return moments


def log_directions(run: CommandRun, adapted: AdaptedPlda) -> None:
    """Kaldi's lines on the variance along each direction."""
    run.log(
        "Eigenvalues of adaptation-data total-covariance in space where training-data total-covariance is unit, is:  "
        f"{vector_text(adapted.eigenvalues)}"
    )
    rows = zip(adapted.eigenvalues, adapted.within, adapted.between, strict=True)
    for number, (eigenvalue, within, between) in enumerate(rows):
        run.log(
            f"For {number}'th eigenvalue, value is {eigenvalue:.6g}, within-class covar in this direction is "
            f"{within:.6g}, between-class is {between:.6g}"
        )
