"""Passes over utterances with the code under test, without commands and files."""

from __future__ import annotations

import numpy as np

from minikaldi.ivector.extraction import extract_vectors
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.extractor_posterior import equations_of, posterior_of
from minikaldi.ivector.extractor_prior import update_prior
from minikaldi.ivector.extractor_stats import ExtractorStats, StatsAccumulator
from minikaldi.ivector.extractor_terms import terms_of
from minikaldi.ivector.extractor_update import UpdateRules, update_parameters
from minikaldi.ivector.utterance_stats import BatchStats, WeightedFrames, batch_stats
from tests.minikaldi.helpers.slow_extractor import Utterance, from_frames

RULES = UpdateRules(gaussian_min_count=1.0, variance_floor_factor=0.01, diagonalize=True)


def keys_of(stats: BatchStats) -> list[str]:
    """Names of the rows of a batch."""
    return [f"utt{row}" for row in range(len(stats.counts))]


def stats_of(
    extractor: IvectorExtractor, utterances: list[Utterance], batch_size: int = 100, update_variances: bool = True
) -> ExtractorStats:
    """The statistics of a pass."""
    terms = terms_of(extractor)
    accumulator = StatsAccumulator(terms, update_variances, True)
    for start in range(0, len(utterances), batch_size):
        part = [WeightedFrames(row, *utt) for row, utt in enumerate(utterances[start : start + batch_size])]
        stats = batch_stats(part, len(part), terms.centres, update_variances)
        accumulator.add(stats, posterior_of(equations_of(terms, stats, keys_of(stats))))
    return accumulator.finish()


def vectors_by(extractor: IvectorExtractor, utterances: list[Utterance]) -> np.ndarray:
    """The vectors (B, I) of one batch."""
    terms = terms_of(extractor)
    part = [WeightedFrames(row, *utt) for row, utt in enumerate(utterances)]
    stats = batch_stats(part, len(part), terms.centres, False)
    return extract_vectors(terms, stats, keys_of(stats), True).vectors


def hand_case() -> tuple[IvectorExtractor, Utterance]:
    """One Gaussian of one dimension: M = 1/2, variance 1, prior N(2, 1); frames 2, 3, 4."""
    extractor = IvectorExtractor(np.full((1, 1, 1), 0.5), np.ones((1, 1)), np.ones(1), np.zeros((0, 0)), 2.0)
    return extractor, (np.array([[2], [3], [4]], dtype=np.float32), from_frames([[(0, 1.0)]] * 3))


def ignore(text: str) -> None:
    """A log that is not read."""


def copy_of(extractor: IvectorExtractor) -> IvectorExtractor:
    """The same model in memory of its own: an update changes its arrays."""
    return IvectorExtractor(
        extractor.projections.copy(), extractor.inv_covars.copy(), extractor.weights.copy(),
        extractor.weight_projections.copy(), extractor.prior_offset,
    )  # fmt: skip


def updated(extractor: IvectorExtractor, stats: ExtractorStats, rules: UpdateRules = RULES) -> IvectorExtractor:
    """The next model."""
    model, _ = update_parameters(copy_of(extractor), stats, rules, ignore, ignore)
    return update_prior(model, stats, rules.diagonalize, ignore, ignore)[0]
