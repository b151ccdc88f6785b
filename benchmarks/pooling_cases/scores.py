"""Embeddings of a trained network and its error rates, in this process; the numbers are those of stages 8 to 12."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from minikaldi.ivector.backend_dims import choose_dims
from minikaldi.ivector.lda import SpeakerScatter, compute_lda
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.pca import compute_pca
from minikaldi.ivector.plda import TrialScorer
from minikaldi.ivector.plda_estimation import estimate_plda
from minikaldi.ivector.plda_stats import PldaStats
from minikaldi.ivector.vectors import apply_transform
from minikaldi.ivectorbin.plda_options import PldaOptions, to_model_space
from nnet.data.lists import read_id_table
from scoring.bootstrap import Interval, summarize, trial_speakers
from scoring.cosine import cosine_scores, unit_length
from scoring.embeddings import EmbeddingTable
from scoring.trials import Trials, read_trials

Float64Array = npt.NDArray[np.float64]
COHORT = 300
RESAMPLES = 300  # of the speakers


def error_rates(train: EmbeddingTable, test: EmbeddingTable, data: Path, lda_dim: int) -> dict[str, Interval]:
    """Back end -> EER (a share) with its interval, with the training embeddings as the recipe uses them.

    Args:
        train: clean training utterances.
        test: test utterances; each is a model of its own.
        data: data directories; train/utt2spk, test/utt2spk and test/trials are read.
        lda_dim: LDA dimension, at most.
    """
    trials = read_trials(data / "test" / "trials")
    utt2spk = read_id_table(data / "train" / "utt2spk")
    names = [utt2spk[utt_id] for utt_id in train.row]
    speakers = np.unique(names, return_inverse=True)[1]
    mean = train.vectors.mean(axis=0)
    scores = {
        "PLDA": plda_scores(train.vectors - mean, speakers, test, trials, mean, lda_dim),
        "cosine": cosine_scores(trials, test, test, mean),
        "cosine, AS-norm": cosine_scores(trials, test, test, mean, None, speaker_means(train, speakers), COHORT),
    }
    both = trial_speakers(trials, read_id_table(data / "test" / "utt2spk"))
    return {
        back_end: summarize(each, trials.is_target, *both, num_resamples=RESAMPLES).eer
        for back_end, each in scores.items()
    }


def speaker_means(train: EmbeddingTable, speakers: npt.NDArray[np.intp]) -> EmbeddingTable:
    """The mean embedding of each speaker, as steps/make_speaker_models.sh has it."""
    means = np.stack([train.vectors[speakers == number].mean(axis=0) for number in range(speakers.max() + 1)])
    return EmbeddingTable([str(number) for number in range(len(means))], means)


def plda_scores(
    centred: Float64Array,
    speakers: npt.NDArray[np.intp],
    test: EmbeddingTable,
    trials: Trials,
    mean: Float64Array,
    lda_dim: int,
) -> Float64Array:
    """Log-likelihood ratios of the trials after LDA and length normalisation, as steps/train_backend.sh has it."""
    transform = lda_transform(centred, speakers, lda_dim)
    projected = unit_length(centred, None, transform) * np.sqrt(len(transform))
    stats = PldaStats()
    for number in range(speakers.max() + 1):
        stats.add_speaker(projected[speakers == number])
    plda = estimate_plda(stats)
    vectors = unit_length(test.vectors, mean, transform) * np.sqrt(len(transform))
    ones = np.ones(len(vectors), dtype=np.int64)
    space, _ = to_model_space(plda, vectors, ones, PldaOptions(), list(test.row))
    enroll = test.rows(trials.pairs.ids, trials.pairs.enroll, "enrolment")
    rows = test.rows(trials.pairs.ids, trials.pairs.test, "test")
    return TrialScorer(plda.psi, space, ones, space).score(enroll, rows)


def lda_transform(centred: Float64Array, speakers: npt.NDArray[np.intp], lda_dim: int) -> Float64Array:
    """The affine transform of LDA, after PCA if the embeddings are too few for their dimension."""
    scatter = SpeakerScatter(centred.shape[1])
    scatter.add(centred, speakers)
    dims = choose_dims(scatter, lda_dim)
    if dims.pca == dims.vectors:
        return compute_lda(scatter, dims.lda).transform
    moments = Moments(centred.shape[1])
    moments.add(centred)
    pca = compute_pca(moments).transform()[: dims.pca]
    reduced = SpeakerScatter(dims.pca)
    reduced.add(apply_transform(pca, centred), speakers)
    lda = compute_lda(reduced, dims.lda).transform
    return np.column_stack([lda[:, :-1] @ pca, lda[:, -1]])
