"""ivector-compute-lda: the affine transform that centres vectors and keeps the directions that separate speakers.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it. Vectors that
do not vary within speakers are an error; Kaldi writes NaN. Rows may have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, TOKEN
from minikaldi.ivector.lda import COVARIANCE_FLOOR, SpeakerScatter, compute_lda
from minikaldi.ivectorbin.log_format import vector_text
from minikaldi.ivectorbin.vector_blocks import vector_blocks
from minikaldi.options import CommandOptions

NO_SPEAKER = -1


@dataclass
class LdaOptions(CommandOptions):
    """Options of ivector-compute-lda."""

    dim: int = option(100, "Dimension we keep with the LDA transform")
    total_covariance_factor: float = option(
        0.0, "Normalize this much of the total covariance to unit, and the rest of the within-class covariance"
    )
    covariance_floor: float = option(
        COVARIANCE_FLOOR,
        "Floor the eigenvalues of the interpolated covariance matrix to this share of its largest eigenvalue",
    )
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-compute-lda",
    usage="[options] <ivector-rspecifier> <utt2spk-rspecifier> <lda-matrix-out>",
    num_args=(3, 3),
    options=LdaOptions,
    about="Compute an LDA matrix for vectors; the last column of the output centres.",
)
def main(run: CommandRun, options: LdaOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-compute-lda.cc."""
    scatter = read_scatter(run, args[0], args[1])
    run.log("Computing within-class covariance.")
    run.log(f"2-norm of iVector mean is {np.linalg.norm(scatter.mean()):.6g}")
    result = compute_lda(scatter, options.dim, options.total_covariance_factor, options.covariance_floor)
    if result.num_floored:
        run.warning(
            f"Floored {result.num_floored} of {scatter.dim} eigenvalues of the interpolated covariance to "
            f"--covariance-floor={options.covariance_floor:g} of the largest: {scatter.num_vectors} vectors of "
            f"{scatter.num_speakers} speakers hardly vary along as many directions; reduce them first: est-pca "
            "--read-vectors=true --dim=<n>"
        )
    run.log(f"Stats have {scatter.num_speakers} speakers, {scatter.num_vectors} utterances. ")
    run.log(
        "Singular values of between-class covariance after projecting with interpolated [total/within] covariance with "
        f"a weight of {options.total_covariance_factor:g} on the total covariance, are:  "
        f"{vector_text(result.eigenvalues)}"
    )
    run.write_object(args[2], FLOAT_MATRIX, result.transform, options.binary)
    run.log(f"Wrote LDA transform to {args[2]}")
    return 0


def read_scatter(run: CommandRun, ivectors: str, utt2spk: str) -> SpeakerScatter:
    """Scatter of all vectors that have a speaker; the others are counted and left out, with a warning.

    Raises:
        KaldiError: no vector has a speaker, vectors differ in dimension, or one holds NaN.
    """
    scatter: SpeakerScatter | None = None
    numbers: dict[str, int] = {}
    seen: set[str] = set()
    num_err = 0

    def number_of(key: str) -> int:
        """The speaker's number; NO_SPEAKER, with a warning, for an utterance that is left out."""
        if key in seen:
            run.warning(f"Duplicate iVector found for utterance {key}, ignoring it.")
        elif key not in speakers:
            run.warning(f"utt2spk has no speaker for utterance {key}; it is left out")
        else:
            seen.add(key)
            return numbers.setdefault(speakers[key], len(numbers))
        return NO_SPEAKER

    with run.random_access(utt2spk, TOKEN) as speakers:
        for block in vector_blocks(run, ivectors):
            found = np.array([number_of(key) for key in block.keys])
            has_speaker = found != NO_SPEAKER
            num_err += int(np.count_nonzero(~has_speaker))
            scatter = scatter or SpeakerScatter(block.vectors.shape[1])
            if has_speaker.any():
                scatter.add(block.vectors[has_speaker], found[has_speaker])
    num_done = scatter.num_vectors if scatter else 0
    run.log(f"Read {num_done} utterances, {num_err} with errors.")
    if scatter is None or num_done == 0:
        raise KaldiError(f"{ivectors}: Did not read any utterances.")
    return scatter
