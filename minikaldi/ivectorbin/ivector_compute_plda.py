"""ivector-compute-plda: a PLDA model from vectors and their speakers.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it. A singular
within-speaker covariance is an error too: Kaldi continues if rounding permits, and its scores reach -1e7. There is a
warning for one speaker alone, and for scores that will be very large. Rows of the transform may have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_VECTOR, TOKEN_VECTOR
from minikaldi.ivector.plda_estimation import PldaStats, estimate_plda
from minikaldi.ivectorbin.log_format import vector_text
from minikaldi.ivectorbin.plda_holder import PLDA
from minikaldi.ivectorbin.speaker_vectors import SpeakerCounts, speaker_vectors
from minikaldi.options import CommandOptions

LARGE_RATIO = 1.0e5  # of real embeddings it is below 1e3


@dataclass
class ComputePldaOptions(CommandOptions):
    """Options of ivector-compute-plda."""

    num_em_iters: int = option(10, "Number of iterations of E-M used for PLDA estimation")
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-compute-plda",
    usage="[options] <spk2utt-rspecifier> <ivector-rspecifier> <plda-out>",
    num_args=(3, 3),
    options=ComputePldaOptions,
    about="Estimate a PLDA model (Probabilistic Linear Discriminant Analysis) from vectors and a spk2utt table.",
)
def main(run: CommandRun, options: ComputePldaOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-compute-plda.cc."""
    stats, counts = PldaStats(), SpeakerCounts()
    with run.sequential(args[0], TOKEN_VECTOR) as spk2utt, run.random_access(args[1], FLOAT_VECTOR) as vectors:
        for _, rows in speaker_vectors(run, spk2utt, vectors, counts):
            stats.add_speaker(rows)
    run.log(counts.describe("Accumulated stats from"))
    if counts.speakers_done == 1:
        run.warning("one speaker determines no between-speaker covariance: every score will be near 0; give more")

    def log_iteration(iteration: int, within: float, between: float) -> None:
        """Log the traces of the covariances."""
        run.log(f"Plda estimation iteration {iteration} of {options.num_em_iters}")
        run.log(f"Trace of within-class variance is {within:.6g}")
        run.log(f"Trace of between-class variance is {between:.6g}")

    plda = estimate_plda(stats, options.num_em_iters, log_iteration)
    if plda.psi[0] > LARGE_RATIO:
        run.warning(
            f"the between-speaker variance is up to {plda.psi[0]:.3g} times the within-speaker variance, and scores "
            "will be of that order: do the speakers have different utterances, and enough of them?"
        )
    run.log(f"Norm of mean of iVector distribution is {np.linalg.norm(plda.mean):.6g}")
    run.log(f"Diagonal of between-class variance in normalized space is  {vector_text(plda.psi)}")
    run.write_object(args[2], PLDA, plda, options.binary)
    return 0
