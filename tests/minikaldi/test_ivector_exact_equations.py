"""Vectors of utterances that few Gaussians share: there the prior must not drown in the rounding of float32 products.

Tolerance: the statistics of the utterances are float32 sums (6e-8 of each summand), so vectors agree to 1e-5 of the
largest magnitude with a version in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.triangles import packed_of, unpacked
from minikaldi.io import FramePosteriors
from minikaldi.ivector.extraction import extract_vectors
from minikaldi.ivector.extractor import FIRST_OFFSET, IvectorExtractor
from minikaldi.ivector.extractor_posterior import equations_of, posterior_of, vectors_of
from minikaldi.ivector.extractor_terms import terms_of
from minikaldi.ivector.extractor_weights import posterior_with_weights
from minikaldi.ivector.utterance_stats import BatchStats, WeightedFrames, batch_stats
from tests.minikaldi.helpers.extractor_passes import keys_of, stats_of, vectors_by
from tests.minikaldi.helpers.slow_extractor import (
    Utterance,
    pass_statistics,
    utterance_statistics,
    vector_posterior,
)

SINGLE = 1e-5


def new_extractor(num_gauss: int, dim: int, ivector_dim: int, with_weights: bool = False) -> IvectorExtractor:
    """As ivector-extractor-init makes it: the directions have normal entries, whatever the covariances are."""
    rng = np.random.default_rng(num_gauss)
    projections = rng.standard_normal((num_gauss, dim, ivector_dim))
    projections[:, :, 0] = 3.0 * rng.standard_normal((num_gauss, dim)) / FIRST_OFFSET
    spread = rng.standard_normal((num_gauss, dim, dim)) / np.sqrt(dim)
    covars = 0.5 * spread @ spread.transpose(0, 2, 1) + 0.5 * np.eye(dim)
    inverses = packed_of(np.linalg.inv(covars)).astype(np.float64)
    weights, directions = np.full(num_gauss, 1.0 / num_gauss), np.zeros((0, 0))
    if with_weights:
        weights, directions = np.zeros(0), 0.1 * rng.standard_normal((num_gauss, ivector_dim)) / np.sqrt(ivector_dim)
    return IvectorExtractor(projections, inverses, weights, directions, FIRST_OFFSET)


def utterance_of(extractor: IvectorExtractor, active: int, num_frames: int, seed: int = 0) -> Utterance:
    """Frames of `active` Gaussians alone, each frame of one of them, around their means for a drawn vector."""
    rng = np.random.default_rng(seed)
    vector = 0.3 * rng.standard_normal(extractor.ivector_dim)
    vector[0] += extractor.prior_offset
    gauss = rng.choice(extractor.num_gauss, active, replace=False)[rng.integers(active, size=num_frames)]
    feats = (extractor.projections @ vector)[gauss] + rng.standard_normal((num_frames, extractor.dim))
    ones = np.ones(num_frames, np.int32)
    posteriors = FramePosteriors(ones, gauss.astype(np.int32), np.ones(num_frames, np.float32))
    return feats.astype(np.float32), posteriors


def slow_vector(extractor: IvectorExtractor, utterance: Utterance) -> np.ndarray:
    """The vector about the prior's mean, in float64."""
    counts, sums, _ = utterance_statistics(extractor, utterance)
    vector: np.ndarray = vector_posterior(extractor, counts, sums)[0]
    vector[0] -= extractor.prior_offset
    return vector


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to 1e-5 of the largest magnitude."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE * np.abs(expected).max())


def batch_of(extractor: IvectorExtractor, utterances: list[Utterance]) -> BatchStats:
    """The statistics of a batch."""
    part = [WeightedFrames(row, *utterance) for row, utterance in enumerate(utterances)]
    return batch_stats(part, len(part), terms_of(extractor).centres, False)


def test_sums_of_many_frames_of_a_gaussian_are_those_of_float64_to_the_last_digit() -> None:
    rng = np.random.default_rng(0)
    feats = (rng.standard_normal((30_000, 2)) + 1.0).astype(np.float32)
    gauss = (np.arange(30_000) % 3 != 0).astype(np.int32)
    ones = np.ones(30_000, np.int32)
    utterance = feats, FramePosteriors(ones, gauss, np.full(30_000, 0.3, np.float32))
    # Rows 0, 1, 0: the pairs of a row and Gaussian are not all beside one another.
    part = [WeightedFrames(row, *utterance) for row in (0, 1, 0)]
    stats = batch_stats(part, 2, np.zeros((2, 2), np.float32), False)
    share = np.float64(np.float32(0.3))
    sums = np.stack([feats[gauss == index].astype(np.float64).sum(axis=0) * share for index in range(2)]).reshape(-1)
    # One rounding to float32 is 6e-8; runs of 64 frames add about 1e-8 after 20,000 frames.
    np.testing.assert_allclose(stats.sums, [2 * sums, sums], rtol=2e-7)


@pytest.mark.parametrize(
    ("size", "active", "frames"),
    [
        ((8, 20, 200), 8, 2000),  # Gaussians times dimensions are fewer than the vector's
        ((1, 72, 400), 1, 3000),
        ((16, 72, 400), 4, 3000),  # few of many
        ((16, 72, 400), 6, 300),
        ((64, 20, 100), 5, 3000),  # just enough to determine the vector
        ((64, 20, 100), 6, 3000),
    ],
)
def test_few_gaussians_with_frames_give_the_vector_of_the_slow_version(
    size: tuple[int, int, int], active: int, frames: int
) -> None:
    extractor = new_extractor(*size)
    utterance = utterance_of(extractor, active, frames)
    close(vectors_by(extractor, [utterance])[0], slow_vector(extractor, utterance))


def test_many_utterances_of_a_speaker_with_few_gaussians_give_the_vector_of_the_slow_version() -> None:
    extractor = new_extractor(64, 12, 60)
    utterances = [utterance_of(extractor, 4, 100, seed=7) for _ in range(100)]
    terms = terms_of(extractor)
    stats = batch_stats([WeightedFrames(0, *utterance) for utterance in utterances], 1, terms.centres, False)
    expected = np.zeros((extractor.num_gauss,)), np.zeros((extractor.num_gauss, extractor.dim))
    for utterance in utterances:
        counts, sums, _ = utterance_statistics(extractor, utterance)
        expected = expected[0] + counts, expected[1] + sums
    vector = vector_posterior(extractor, *expected)[0]
    vector[0] -= extractor.prior_offset
    close(extract_vectors(terms, stats, ["speaker"], True).vectors[0], vector)


def test_the_statistics_of_a_pass_take_the_same_exact_moments() -> None:
    extractor = new_extractor(16, 12, 60)
    utterances = [utterance_of(extractor, 3, 2000, seed) for seed in range(3)]
    found, expected = stats_of(extractor, utterances), pass_statistics(extractor, utterances)
    for name in ("auxf", "linear", "quadratic", "ivector_sum", "ivector_scatter"):
        close(np.asarray(getattr(found, name)), np.asarray(expected[name]))
    # About the prior's mean nothing hides behind its 100.
    stats = batch_of(extractor, utterances)
    posterior = posterior_of(equations_of(terms_of(extractor), stats, keys_of(stats)))
    for row, utterance in enumerate(utterances):
        counts, sums, _ = utterance_statistics(extractor, utterance)
        mean, covar = vector_posterior(extractor, counts, sums)
        mean[0] -= extractor.prior_offset
        close(unpacked(posterior.moments[row]), covar + np.outer(mean, mean))


def test_weights_that_depend_on_the_vector_take_exact_equations() -> None:
    extractor = new_extractor(16, 12, 60, with_weights=True)
    terms = terms_of(extractor)
    utterance = utterance_of(extractor, 3, 2000)
    stats = batch_of(extractor, [utterance])
    equations = equations_of(terms, stats, ["a"])
    posterior_with_weights(terms, stats, equations)
    counts, sums, _ = utterance_statistics(extractor, utterance)
    vector, covar = vector_posterior(extractor, counts, sums)
    vector[0] -= extractor.prior_offset
    # The equations' own solution, before the weights have an effect.
    close(np.linalg.solve(equations.precision(0), equations.linear[0]), vector)
    close(np.linalg.inv(equations.precision(0)), covar)


def test_only_the_rows_that_need_it_are_computed_again_and_the_others_are_close_too() -> None:
    extractor = new_extractor(64, 20, 60)
    utterances = [utterance_of(extractor, active, 1000, seed=active) for active in (64, 2, 20, 3, 40)]
    stats = batch_of(extractor, utterances)
    equations = equations_of(terms_of(extractor), stats, keys_of(stats))
    found = vectors_of(equations)
    assert sorted(equations.exact) == [1, 3]  # the others have 400 dimensions and more to determine 60
    for vector, utterance in zip(found, utterances, strict=True):
        close(vector, slow_vector(extractor, utterance))


@pytest.mark.parametrize(("decay", "exact"), [(2.0, False), (4.0, True)])
def test_many_gaussians_whose_directions_have_different_scales_are_close_in_float32_or_computed_again(
    decay: float, exact: bool
) -> None:
    extractor = new_extractor(128, 20, 100)
    scales = np.exp(-decay * np.arange(99) / 99)
    mixing = np.linalg.qr(np.random.default_rng(0).standard_normal((99, 99)))[0]
    extractor.projections[:, :, 1:] = extractor.projections[:, :, 1:] * scales @ mixing
    utterance = utterance_of(extractor, 100, 1000)
    stats = batch_of(extractor, [utterance])
    equations = equations_of(terms_of(extractor), stats, ["a"])
    close(vectors_of(equations)[0], slow_vector(extractor, utterance))
    assert bool(equations.exact) is exact


def test_the_projections_are_not_copied() -> None:
    extractor = new_extractor(4, 3, 5)
    terms = terms_of(extractor)
    assert terms.projections is extractor.projections
    assert terms.inv_covars is extractor.inv_covars


def test_an_equation_that_float64_cannot_solve_names_the_utterance_and_a_remedy() -> None:
    # One Gaussian with the same projection in both dimensions: a precision of 1 + n p² and n p² beside it.
    extractor = IvectorExtractor(np.full((1, 1, 2), 1e9), np.ones((1, 1)), np.ones(1), np.zeros((0, 0)), 0.0)
    stats = BatchStats(np.array([[0.0], [3000.0]]), np.zeros((2, 1), np.float32), None)
    equations = equations_of(terms_of(extractor), stats, keys_of(stats))
    with pytest.raises(KaldiError, match=r"^utt1: the equation of its vector .*3000 frames.*--max-count"):
        vectors_of(equations)


def test_an_equation_that_overflows_names_the_utterance() -> None:
    extractor = new_extractor(2, 3, 4)
    sums = np.zeros((3, 6), np.float32)
    sums[2] = 3e38
    stats = BatchStats(np.ones((3, 2)), sums, None)
    terms = terms_of(extractor)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(KaldiError, match=r"^utt2: the features are too"):
        equations_of(terms, stats, keys_of(stats))
