"""ivector-compute-lda: the affine transform that centres vectors and keeps the directions that tell speakers apart.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi goes on with it. An utterance
without a speaker is warned of by name. Rows may have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, TOKEN
from minikaldi.ivector.lda import SpeakerScatter, compute_lda
from minikaldi.ivector.vectors import require_finite
from minikaldi.options import option

VECTORS_PER_BLOCK = 1024  # added at once: one matrix product for many vectors


@dataclass
class LdaOptions:
    """Options of ivector-compute-lda."""

    dim: int = option(100, "Dimension we keep with the LDA transform")
    total_covariance_factor: float = option(
        0.0, "Normalize this much of the total covariance to unit, and the rest of the within-class covariance"
    )
    covariance_floor: float = option(
        1.0e-06, "Floor the eigenvalues of the interpolated covariance matrix to this share of its largest eigenvalue"
    )
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-compute-lda",
    usage="[options] <ivector-rspecifier> <utt2spk-rspecifier> <lda-matrix-out>",
    num_args=(3, 3),
    options=LdaOptions,
    about="Compute an LDA matrix for vectors; the last column of the output centres.",
)
def main(run: Run, options: LdaOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-compute-lda.cc."""
    scatter = read_scatter(run, args[0], args[1])
    run.log("Computing within-class covariance.")
    run.log(f"2-norm of iVector mean is {np.linalg.norm(scatter.mean()):.6g}")
    result = compute_lda(scatter, options.dim, options.total_covariance_factor, options.covariance_floor)
    if result.num_floored:
        run.warning(
            f"Floored {result.num_floored} eigenvalues of the interpolated covariance to --covariance-floor="
            f"{options.covariance_floor:g} of the largest"
        )
    run.log(f"Stats have {scatter.num_speakers} speakers, {scatter.num_vectors} utterances. ")
    values = " ".join(f"{value:.6g}" for value in result.eigenvalues)
    run.log(
        "Singular values of between-class covariance after projecting with interpolated [total/within] covariance with "
        f"a weight of {options.total_covariance_factor:g} on the total covariance, are:  [ {values} ]"
    )
    run.write_object(args[2], FLOAT_MATRIX, result.transform, options.binary)
    run.log(f"Wrote LDA transform to {args[2]}")
    return 0


def read_scatter(run: Run, ivectors: str, utt2spk: str) -> SpeakerScatter:
    """Scatter of all vectors that have a speaker; the others are warned of and counted.

    Raises:
        KaldiError: none has, vectors differ in dimension, or one holds NaN.
    """
    scatter: SpeakerScatter | None = None
    numbers: dict[str, int] = {}
    block: list[tuple[NDArray[np.float32], int]] = []
    num_err = 0
    with run.sequential(ivectors, FLOAT_VECTOR) as vectors, run.random_access(utt2spk, TOKEN) as speakers:
        for key, vector in vectors:
            if key not in speakers:
                run.warning(f"utt2spk has no speaker for utterance {key}; it is left out")
                num_err += 1
                continue
            scatter = scatter or SpeakerScatter(vector.size)
            if vector.size != scatter.dim:
                raise KaldiError(f"{key}: vector has {vector.size} dimensions, those before {scatter.dim}")
            require_finite(key, vector)
            block.append((vector, numbers.setdefault(speakers[key], len(numbers))))
            if len(block) == VECTORS_PER_BLOCK:
                add_block(scatter, block)
    num_done = (scatter.num_vectors if scatter else 0) + len(block)
    run.log(f"Read {num_done} utterances, {num_err} with errors.")
    if scatter is None:
        raise KaldiError(f"{ivectors}: Did not read any utterances.")
    add_block(scatter, block)
    return scatter


def add_block(scatter: SpeakerScatter, block: list[tuple[NDArray[np.float32], int]]) -> None:
    """Add the collected vectors, with their speaker numbers, and empty the block."""
    if block:
        scatter.add(np.array([vector for vector, _ in block]), np.array([speaker for _, speaker in block]))
        block.clear()
