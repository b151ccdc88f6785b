"""Statistics and vectors of the i-vector extractor: by hand, against a slow version, and their properties.

Tolerances: products are in float32 (6e-8 of each summand), so results agree to 1e-5 of the largest magnitude.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minikaldi.io import FramePosteriors
from minikaldi.ivector import utterance_stats
from minikaldi.ivector.extraction import extract_vectors
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.extractor_terms import terms_of
from minikaldi.ivector.utterance_stats import BatchStats, WeightedFrames, batch_stats
from tests.minikaldi.helpers.extractor_passes import hand_case, keys_of, stats_of, vectors_by
from tests.minikaldi.helpers.slow_extractor import (
    from_frames,
    pass_statistics,
    random_extractor,
    random_utterance,
    utterance_statistics,
    vector_posterior,
)

SINGLE = 1e-5
NAMES = ("auxf", "counts", "linear", "quadratic", "scatter", "num_ivectors", "ivector_sum", "ivector_scatter")


def close(found: object, expected: object) -> None:
    """Equal to 1e-5 of the largest magnitude."""
    scale = float(np.abs(np.asarray(expected)).max(initial=1e-30))
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=SINGLE * scale)


def test_the_vector_by_hand_is_the_ratio_of_linear_term_and_precision() -> None:
    extractor, utterance = hand_case()
    # precision 1 + 3/4, linear term 2 + (2 + 3 + 4)/2: their ratio is 26/7, less the prior's mean 12/7
    np.testing.assert_allclose(vectors_by(extractor, [utterance]), [[12 / 7]], rtol=1e-6)


def test_statistics_by_hand() -> None:
    extractor, utterance = hand_case()
    stats = stats_of(extractor, [utterance])
    moment = 4 / 7 + (26 / 7) ** 2
    # log N(frames; 1, I + 1 1ᵀ / 4): the auxiliary function at the posterior is the marginal likelihood
    auxf = -0.5 * (3 * np.log(2 * np.pi) + np.log(1.75) + 14 - 36 / 7)
    expected = (auxf, [3], [[[9 * 26 / 7]]], [[3 * moment]], [[29]], 1, [26 / 7], [moment])
    for name, value in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(getattr(stats, name), value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("ivector_dim", [1, 4])
def test_statistics_equal_those_of_the_slow_version(ivector_dim: int) -> None:
    extractor = random_extractor(ivector_dim=ivector_dim)
    utterances = [random_utterance(extractor, 3 + 7 * index, index) for index in range(6)]
    stats, expected = stats_of(extractor, utterances, batch_size=4), pass_statistics(extractor, utterances)
    for name in NAMES:
        close(getattr(stats, name), expected[name])


def test_vectors_equal_those_of_the_slow_version() -> None:
    extractor = random_extractor(num_gauss=7, dim=5, ivector_dim=6, seed=3)
    utterances = [random_utterance(extractor, 2 + 9 * index, index) for index in range(5)]
    found = vectors_by(extractor, utterances)
    for vector, utterance in zip(found, utterances, strict=True):
        counts, sums, _ = utterance_statistics(extractor, utterance)
        expected = vector_posterior(extractor, counts, sums)[0]
        expected[0] -= extractor.prior_offset
        close(vector, expected)


def test_float32_products_are_precise_enough_at_a_larger_size() -> None:
    extractor = random_extractor(num_gauss=64, dim=20, ivector_dim=40, seed=7)
    utterances = [random_utterance(extractor, 300, index) for index in range(4)]
    stats, expected = stats_of(extractor, utterances), pass_statistics(extractor, utterances)
    for name in NAMES:
        close(getattr(stats, name), expected[name])
    # About the prior's mean, which is 100, less than the offset of the first dimension is left.
    counts, sums, _ = utterance_statistics(extractor, utterances[0])
    vector = vector_posterior(extractor, counts, sums)[0]
    vector[0] -= extractor.prior_offset
    close(vectors_by(extractor, utterances[:1])[0], vector)


def test_without_variances_the_auxiliary_function_takes_the_models_variance_within_an_utterance() -> None:
    extractor = random_extractor()
    utterances = [random_utterance(extractor, 12, index) for index in range(3)]
    expected = 0.0
    for utterance in utterances:
        counts, sums, squares = utterance_statistics(extractor, utterance)
        used = np.flatnonzero(counts)
        single = pass_statistics(extractor, [utterance])["auxf"]
        for gauss in used:
            precision = np.linalg.inv(np.linalg.inv(_full(extractor, gauss)))
            within = squares[gauss] - np.outer(sums[gauss], sums[gauss]) / counts[gauss]
            single += 0.5 * np.trace(precision @ within) - 0.5 * counts[gauss] * extractor.dim
        expected += single
    stats = stats_of(extractor, utterances, update_variances=False)
    np.testing.assert_allclose(stats.auxf, expected, rtol=SINGLE)
    assert stats.scatter.size == 0


def _full(extractor: IvectorExtractor, gauss: int) -> np.ndarray:
    matrix = np.zeros((extractor.dim, extractor.dim))
    matrix[np.tril_indices(extractor.dim)] = extractor.inv_covars[gauss]
    return matrix + np.tril(matrix, -1).T


def test_neither_the_batch_size_nor_the_order_of_the_utterances_matters() -> None:
    extractor = random_extractor()
    utterances = [random_utterance(extractor, 20, index) for index in range(9)]
    together = stats_of(extractor, utterances)
    for other in (stats_of(extractor, utterances, batch_size=1), stats_of(extractor, utterances[::-1], batch_size=4)):
        for name in NAMES:
            close(getattr(other, name), getattr(together, name))


def test_sums_of_many_batches_in_float32_stay_close() -> None:
    extractor = random_extractor()
    utterances = [random_utterance(extractor, 15, index) for index in range(4)]
    many, few = stats_of(extractor, utterances * 250, batch_size=4), stats_of(extractor, utterances)
    close(many.quadratic / 250, few.quadratic)
    close(many.linear / 250, few.linear)


def test_a_frame_counts_by_its_share_and_a_split_share_is_the_same() -> None:
    extractor = random_extractor()
    feats = random_utterance(extractor, 1, 0)[0]
    whole, halves = from_frames([[(2, 0.8)]]), from_frames([[(2, 0.4), (2, 0.4)]])
    np.testing.assert_allclose(vectors_by(extractor, [(feats, whole)]), vectors_by(extractor, [(feats, halves)]), 1e-6)


def test_an_utterance_of_one_frame_has_a_vector_near_the_priors_mean() -> None:
    extractor = random_extractor()
    one, many = random_utterance(extractor, 1, 4), random_utterance(extractor, 400, 4)
    vectors = vectors_by(extractor, [one, many])
    assert 0.0 < np.linalg.norm(vectors[0]) < np.linalg.norm(vectors[1])


@pytest.mark.parametrize("frames", [[[], []], [[(1, 0.0)], [(3, 0.0)]]])
def test_no_posterior_mass_gives_the_priors_mean(frames: list[list[tuple[int, float]]]) -> None:
    extractor = random_extractor()
    feats = np.ones((2, extractor.dim), dtype=np.float32)
    utterance = (feats, from_frames(frames))
    np.testing.assert_array_equal(vectors_by(extractor, [utterance]), np.zeros((1, extractor.ivector_dim)))
    stats = stats_of(extractor, [utterance])
    np.testing.assert_allclose(stats.auxf, 0.0, atol=1e-12)
    np.testing.assert_array_equal(stats.ivector_sum, [100, 0, 0, 0])


def test_long_utterances_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = random_extractor()
    terms = terms_of(extractor)
    utterances = [random_utterance(extractor, frames, frames) for frames in (3, 40, 1, 25)]
    part = [WeightedFrames(row, *utterance) for row, utterance in enumerate(utterances)]
    whole = batch_stats(part, 4, terms.centres, True)
    assert whole.scatter is not None
    for most in (1, 7, 50):
        monkeypatch.setattr(utterance_stats, "PAIRS_AT_ONCE", most)
        pieces = batch_stats(part, 4, terms.centres, True)
        assert pieces.scatter is not None
        close(pieces.counts, whole.counts)
        close(pieces.sums, whole.sums)
        close(pieces.scatter, whole.scatter)


def test_utterances_of_one_row_are_pooled() -> None:
    extractor = random_extractor()
    first, second = random_utterance(extractor, 8, 1), random_utterance(extractor, 5, 2)
    terms = terms_of(extractor)
    pooled = batch_stats([WeightedFrames(0, *first), WeightedFrames(0, *second)], 1, terms.centres, False)
    joined = FramePosteriors(
        *(
            np.concatenate([getattr(first[1], name), getattr(second[1], name)])
            for name in ("counts", "indices", "shares")
        )
    )
    expected = vectors_by(extractor, [(np.concatenate([first[0], second[0]]), joined)])
    np.testing.assert_allclose(extract_vectors(terms, pooled, keys_of(pooled), True).vectors, expected, rtol=1e-5)


def test_the_change_of_the_auxiliary_function_is_that_of_its_quadratic_form() -> None:
    extractor = random_extractor()
    utterance = random_utterance(extractor, 30, 0)
    terms = terms_of(extractor)
    stats = batch_stats([WeightedFrames(0, *utterance)], 1, terms.centres, False)
    found = extract_vectors(terms, stats, keys_of(stats), True)
    counts, sums, squares = utterance_statistics(extractor, utterance)
    nothing = np.full((extractor.ivector_dim, extractor.ivector_dim), 0.0)

    def at(vector: np.ndarray) -> float:
        full = vector.copy()
        full[0] += extractor.prior_offset
        total = -0.5 * vector @ vector
        for gauss in range(extractor.num_gauss):
            rest = squares[gauss] - np.outer(sums[gauss], extractor.projections[gauss] @ full)
            rest -= np.outer(extractor.projections[gauss] @ full, sums[gauss])
            centre = extractor.projections[gauss] @ full
            rest += counts[gauss] * np.outer(centre, centre)
            total -= 0.5 * float(np.trace(_full(extractor, gauss) @ rest))
        return float(total)

    change = at(found.vectors[0]) - at(nothing[0])
    np.testing.assert_allclose(found.auxf_changes, [change], rtol=1e-5)


def test_counts_and_sums_scale_together() -> None:
    extractor = random_extractor()
    terms = terms_of(extractor)
    feats, posteriors = random_utterance(extractor, 12, 3)
    half = replace(posteriors, shares=posteriors.shares / 2)
    stats = batch_stats([WeightedFrames(0, feats, posteriors)], 1, terms.centres, False)
    scaled = BatchStats(stats.counts / 2, stats.sums / 2, None)
    found = extract_vectors(terms, scaled, keys_of(scaled), False).vectors
    np.testing.assert_allclose(found, vectors_by(extractor, [(feats, half)]), rtol=1e-5)
