"""Claims about PLDA: the likelihood ratio, the estimation, smoothing, normalisation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from common.errors import KaldiError
from minikaldi.ivector.plda import Plda, TrialScorer, normalization_factors
from minikaldi.ivector.plda_estimation import (
    PldaStats,
    diagonalize,
    em_step,
    estimate_plda,
    expected_by_group,
    expected_in_common_space,
    mean_groups,
)

PSI = np.array([4.0, 1.0, 0.25])


def stats_of(groups: list[np.ndarray]) -> PldaStats:
    stats = PldaStats()
    for group in groups:
        stats.add_speaker(group)
    return stats


def drawn_speakers(num_speakers: int, seed: int, within: np.ndarray, between: np.ndarray) -> list[np.ndarray]:
    """Vectors of speakers with 1 to 9 utterances under the model."""
    rng = np.random.default_rng(seed)
    dim = len(within)
    groups = []
    for _ in range(num_speakers):
        mean = rng.multivariate_normal(np.full(dim, 3.0), between)
        groups.append(rng.multivariate_normal(mean, within, size=int(rng.integers(1, 10))))
    return groups


def covariances(plda: Plda) -> tuple[np.ndarray, np.ndarray]:
    """Within- and between-speaker covariance that a model stands for."""
    back = np.linalg.inv(plda.transform)
    return back @ back.T, back @ np.diag(plda.psi) @ back.T


@pytest.mark.parametrize("num_examples", [1, 2, 7])
def test_plda_llr_equals_ratio_of_gaussian_densities(num_examples: int) -> None:
    rng = np.random.default_rng(0)
    enroll, test = rng.normal(size=3), rng.normal(size=3)
    # Mean of n utterances and one test utterance: jointly Gaussian, sharing the speaker's mean or not.
    own = np.diag(np.concatenate([PSI + 1.0 / num_examples, PSI + 1.0]))
    shared = own.copy()
    shared[:3, 3:] = shared[3:, :3] = np.diag(PSI)
    both = np.concatenate([enroll, test])
    expected = multivariate_normal.logpdf(both, cov=shared) - multivariate_normal.logpdf(both, cov=own)
    scorer = TrialScorer(PSI, enroll[None], np.array([num_examples]), test[None])
    assert scorer.score(np.array([0]), np.array([0]))[0] == pytest.approx(expected, abs=1e-10)


def test_llr_by_hand() -> None:
    # psi = 1, n = 1, u = t = 2: N(1, 3/2) against N(0, 2) at 2.
    scorer = TrialScorer(np.array([1.0]), np.array([[2.0]]), np.array([1]), np.array([[2.0]]))
    expected = -0.5 * (np.log(1.5) + 1 / 1.5) + 0.5 * (np.log(2.0) + 4 / 2.0)
    assert scorer.score(np.array([0]), np.array([0]))[0] == pytest.approx(expected)


def test_llr_of_single_utterances_is_symmetric() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    rows, ones = np.arange(50), np.ones(50, dtype=int)
    forward = TrialScorer(PSI, one, ones, other).score(rows, rows)
    np.testing.assert_allclose(forward, TrialScorer(PSI, other, ones, one).score(rows, rows), atol=1e-10)


def test_scores_do_not_depend_on_the_other_trials() -> None:
    rng = np.random.default_rng(2)
    enroll, test, counts = rng.normal(size=(6, 3)), rng.normal(size=(8, 3)), rng.integers(1, 4, size=6)
    scorer = TrialScorer(PSI, enroll, counts, test)
    rows, columns = rng.integers(6, size=40), rng.integers(8, size=40)
    first = np.array([0])
    singly = [
        TrialScorer(PSI, enroll[[i]], counts[[i]], test[[j]]).score(first, first)[0]
        for i, j in zip(rows, columns, strict=True)
    ]
    np.testing.assert_allclose(scorer.score(rows, columns), singly, atol=1e-10)


def test_scores_of_all_pairs_are_those_of_the_single_trials() -> None:
    rng = np.random.default_rng(9)
    enroll, test, counts = rng.normal(size=(6, 3)), rng.normal(size=(8, 3)), rng.integers(1, 4, size=6)
    scorer = TrialScorer(PSI, enroll, counts, test)
    rows, columns = (index.ravel() for index in np.indices((6, 8)))
    np.testing.assert_allclose(scorer.score_all().ravel(), scorer.score(rows, columns), atol=1e-12)


def test_a_reduced_model_has_the_reduced_covariances_and_in_full_dimension_the_same_scores() -> None:
    rng = np.random.default_rng(10)
    plda = Plda(rng.normal(size=3), rng.normal(size=(3, 3)), PSI)
    matrix = rng.normal(size=(2, 3))
    expected = [matrix @ covariance @ matrix.T for covariance in covariances(plda)]
    np.testing.assert_allclose(plda.reduced(matrix).covariances(), expected, rtol=1e-9)
    vectors, one, square = rng.normal(size=(5, 3)), np.ones(5, dtype=int), rng.normal(size=(3, 3))
    before, after = plda.project(vectors), plda.reduced(square).project(vectors @ square.T)
    scores = TrialScorer(plda.psi, before, one, before).score_all()
    other = TrialScorer(plda.reduced(square).psi, after, one, after).score_all()
    np.testing.assert_allclose(other, scores, atol=1e-8)


def test_without_between_speaker_variance_every_score_is_zero() -> None:
    scorer = TrialScorer(np.zeros(2), np.ones((1, 2)), np.array([3]), np.ones((1, 2)))
    assert scorer.score(np.array([0]), np.array([0]))[0] == pytest.approx(0.0, abs=1e-12)


def slow_em_step(
    within: np.ndarray, between: np.ndarray, means: np.ndarray, counts: np.ndarray, scatter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One EM iteration speaker by speaker, with the inverses written out."""
    within_stats, between_stats = scatter.copy(), np.zeros_like(scatter)
    for mean, count in zip(means, counts, strict=True):
        variance = np.linalg.inv(np.linalg.inv(between) + count * np.linalg.inv(within))
        posterior = variance @ (count * np.linalg.inv(within) @ mean)
        between_stats += variance + np.outer(posterior, posterior)
        within_stats += count * (variance + np.outer(mean - posterior, mean - posterior))
    return within_stats / counts.sum(), between_stats / len(counts)


@pytest.mark.parametrize("num_speakers", [1, 3, 20, 90])
@pytest.mark.parametrize("most_utts", [2, 4, 6, 30])
def test_em_step_equals_the_step_with_inverses_per_speaker(num_speakers: int, most_utts: int) -> None:
    """With few and with many different numbers of utterances, with fewer and more speakers of each than dimensions."""
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(2, 4, 4))
    within, between = (factor @ factor.T + np.eye(4) for factor in factors)
    means = rng.normal(size=(num_speakers, 4))
    counts = rng.integers(1, most_utts, size=num_speakers).astype(float)
    scatter = 10.0 * np.eye(4)
    fast = em_step(within, between, mean_groups(means, counts), scatter)
    # The same numbers by another chain of float64 operations on well-conditioned matrices.
    np.testing.assert_allclose(fast, slow_em_step(within, between, means, counts, scatter), rtol=1e-9)


def test_both_ways_of_the_e_step_agree_where_the_speakers_differ_far_more_than_their_utterances() -> None:
    rng = np.random.default_rng(5)
    factor = rng.normal(size=(6, 6))
    within, between = 1e-6 * (factor @ factor.T + np.eye(6)), 10.0 * np.eye(6)
    groups = mean_groups(rng.normal(size=(40, 6)), rng.integers(1, 4, size=40).astype(float))
    one, other = expected_by_group(within, between, groups), expected_in_common_space(within, between, groups)
    np.testing.assert_allclose(one[0], other[0], rtol=1e-6, atol=1e-9 * np.abs(other[0]).max())
    np.testing.assert_allclose(one[1], other[1], rtol=1e-9, atol=1e-12)


def log_likelihood(groups: list[np.ndarray], within: np.ndarray, between: np.ndarray, mean: np.ndarray) -> float:
    total = 0.0
    for group in groups:
        joint = np.kron(np.eye(len(group)), within) + np.kron(np.ones((len(group), len(group))), between)
        total += multivariate_normal.logpdf(group.ravel(), np.tile(mean, len(group)), joint)
    return total


def test_no_em_iteration_lowers_the_likelihood() -> None:
    within, between = np.diag([1.0, 2.0]), np.array([[3.0, 1.0], [1.0, 1.0]])
    groups = drawn_speakers(40, 4, within, between)
    likelihoods = []
    for num_iters in range(6):
        plda = estimate_plda(stats_of(groups), num_iters)
        likelihoods.append(log_likelihood(groups, *covariances(plda), plda.mean))
    assert all(after >= before - 1e-8 for before, after in pairwise(likelihoods))
    assert likelihoods[-1] > likelihoods[0] + 1.0


def test_estimation_finds_the_model_that_drew_the_vectors() -> None:
    within, between = np.array([[1.0, 0.3], [0.3, 0.5]]), np.diag([4.0, 1.0])
    plda = estimate_plda(stats_of(drawn_speakers(3000, 5, within, between)), 20)
    found_within, found_between = covariances(plda)
    # 3,000 speakers give a variance to about sqrt(2 / 3000) = 2.6 %; four deviations.
    np.testing.assert_allclose(found_within, within, atol=0.1 * within.max())
    np.testing.assert_allclose(found_between, between, atol=0.1 * between.max())
    np.testing.assert_allclose(plda.mean, 3.0, atol=4 * np.sqrt(5.0 / 3000))


def test_diagonalize_makes_within_unit_and_between_diagonal() -> None:
    rng = np.random.default_rng(6)
    factors = rng.normal(size=(2, 4, 4))
    within, between = factors[0] @ factors[0].T + np.eye(4), factors[1][:, :2] @ factors[1][:, :2].T
    transform, psi = diagonalize(within, between)
    np.testing.assert_allclose(transform @ within @ transform.T, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(transform @ between @ transform.T, np.diag(psi), atol=1e-10)
    assert (psi >= 0.0).all() and list(psi) == sorted(psi, reverse=True)


def test_smoothing_adds_between_covariance_to_within_covariance() -> None:
    rng = np.random.default_rng(7)
    plda = Plda(np.zeros(3), rng.normal(size=(3, 3)), PSI)
    within, between = covariances(plda)
    smoothed_within, smoothed_between = covariances(plda.smoothed(0.2))
    np.testing.assert_allclose(smoothed_within, within + 0.2 * between, rtol=1e-9)
    np.testing.assert_allclose(smoothed_between, between, rtol=1e-9)


def test_normalised_vectors_have_the_expected_length() -> None:
    rng = np.random.default_rng(8)
    projected, counts = rng.normal(size=(10, 3)), rng.integers(1, 4, size=10)
    scaled = projected * normalization_factors(projected, PSI, counts)[:, None]
    lengths = [row @ (row / (PSI + 1.0 / count)) for row, count in zip(scaled, counts, strict=True)]
    np.testing.assert_allclose(lengths, 3.0)
    simple = projected * normalization_factors(projected, PSI, counts, simple=True)[:, None]
    np.testing.assert_allclose((simple**2).sum(axis=1), 3.0)


def test_speakers_with_one_utterance_each_are_refused() -> None:
    with pytest.raises(KaldiError, match="No speakers with multiple utterances"):
        estimate_plda(stats_of([np.ones((1, 2)), np.zeros((1, 2))]))


def test_no_speakers_are_refused() -> None:
    with pytest.raises(KaldiError, match="No stats accumulated"):
        estimate_plda(PldaStats())


def test_vectors_of_another_dimension_are_refused() -> None:
    with pytest.raises(KaldiError, match="the vectors have 2 dimensions, the PLDA model 3"):
        Plda(np.zeros(3), np.eye(3), PSI).project(np.zeros((1, 2)))


def test_nan_in_training_is_refused() -> None:
    with pytest.raises(KaldiError, match="speaker number 1: vector holds NaN"):
        estimate_plda(stats_of([np.array([[0.0, np.nan], [1.0, 2.0]]), np.eye(2)]))
