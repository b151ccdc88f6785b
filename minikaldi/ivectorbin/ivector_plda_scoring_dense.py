"""ivector-plda-scoring-dense: log-likelihood ratios of all pairs of a recording's segments, for diarization.

Differs from Kaldi: a vector that holds NaN or infinity, or that is the model's mean and has no length, is an error that
names it; Kaldi continues with it. The PCA stays within the dimensions along which the recording's vectors vary; Kaldi
may take one arbitrary direction more (two segments, or nearly all of the energy). If they do not vary at all (one
segment), there is no PCA.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, TOKEN_VECTOR, RandomAccessReader
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.pca import compute_pca
from minikaldi.ivector.plda import Plda, TrialScorer
from minikaldi.ivector.vectors import Float64Array, require_finite
from minikaldi.ivectorbin.plda_holder import PLDA
from minikaldi.ivectorbin.plda_options import PldaOptions, to_model_space

ALL_ENERGY = 0.998  # as Kaldi: no PCA where |1 - energy| <= 0.001 (1 + energy)


@dataclass
class DenseScoringOptions(PldaOptions):
    """Options of ivector-plda-scoring-dense."""

    target_energy: float = option(
        0.5, "Reduce the dimension by a PCA of each recording that keeps this fraction of the total energy"
    )


@command(
    "ivector-plda-scoring-dense",
    usage="[options] <plda> <reco2utt> <ivectors-rspecifier> <scores-wspecifier>",
    num_args=(4, 4),
    options=DenseScoringOptions,
    about="Score all pairs of vectors of each recording under a PLDA model; writes one matrix per recording.",
)
def main(run: CommandRun, options: DenseScoringOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-plda-scoring-dense.cc."""
    if options.target_energy > 1.0:
        raise KaldiError(f"--target-energy={options.target_energy:g} is out of range: expected at most 1")
    plda = run.read_object(args[0], PLDA)
    num_done = num_err = 0
    with (
        run.sequential(args[1], TOKEN_VECTOR) as reco2utt,
        run.random_access(args[2], FLOAT_VECTOR) as table,
        run.writer(args[3], FLOAT_MATRIX) as scores,
    ):
        for reco_id, utt_ids in reco2utt:
            if not utt_ids:
                run.warning(f"Not producing output for recording {reco_id} since no segments had iVectors")
                num_err += 1
                continue
            vectors = recording_vectors(table, args[2], utt_ids, f"recording {reco_id}")
            try:
                model, vectors = reduce_dimension(run, plda, vectors, options.target_energy, reco_id)
                scores.write(reco_id, score_all_pairs(model, vectors, options, utt_ids))
            except KaldiError as error:
                raise KaldiError(f"{args[1]}: recording {reco_id}: {error}") from error
            num_done += 1
    run.log(f"Processed {num_done} recordings, {num_err} had errors.")
    return 0 if num_done else 1


def recording_vectors(
    table: RandomAccessReader[NDArray[np.float32]], name: str, utt_ids: list[str], where: str
) -> Float64Array:
    """The vectors of a recording, (N, D).

    Raises:
        KaldiError: one is missing, holds NaN, or is of another dimension.
    """
    rows: list[NDArray[np.float32]] = []
    for utt_id in utt_ids:
        if utt_id not in table:
            raise KaldiError(f"{name}: No iVector present in input for utterance {utt_id} of {where}")
        rows.append(table[utt_id])
        require_finite(f"{name}: {utt_id}", rows[-1])
        if rows[-1].size != rows[0].size:
            raise KaldiError(f"{name}: {utt_id}: vector has {rows[-1].size} dimensions, {utt_ids[0]} {rows[0].size}")
    return np.array(rows, dtype=np.float64)


def reduce_dimension(
    run: CommandRun, plda: Plda, vectors: Float64Array, target_energy: float, reco_id: str
) -> tuple[Plda, Float64Array]:
    """Model and vectors in the leading principal components of the recording; unchanged if all energy is kept."""
    plda.check_dim(vectors.shape[1])
    if target_energy >= ALL_ENERGY:
        return plda, vectors
    moments = Moments(plda.dim)
    moments.add(vectors)
    try:
        directions = compute_pca(moments).leading(target_energy)
    except KaldiError as error:  # one segment, or equal ones: all labels are right
        run.warning(f"Unable to compute conversation dependent PCA for recording {reco_id}: {error}")
        return plda, vectors
    return plda.reduced(directions), vectors @ directions.T


def score_all_pairs(plda: Plda, vectors: Float64Array, options: PldaOptions, utt_ids: list[str]) -> Float64Array:
    """Log-likelihood ratios (N, N) of all vectors (N, D) with each other."""
    one = np.ones(len(vectors), dtype=np.int64)
    projected, _ = to_model_space(plda, vectors, one, options, utt_ids)
    return TrialScorer(plda.psi, projected, one, projected).score_all()
