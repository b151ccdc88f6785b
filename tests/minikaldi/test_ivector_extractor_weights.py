"""Weights that depend on the vector: posterior, auxiliary function and statistics, against slow versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minikaldi.gmm.triangles import unpacked
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.extractor_posterior import equations_of
from minikaldi.ivector.extractor_stats import ExtractorStats, StatsAccumulator
from minikaldi.ivector.extractor_terms import ExtractorTerms, terms_of
from minikaldi.ivector.extractor_weights import (
    log_weights,
    moments_of,
    point_auxf,
    posterior_with_weights,
    weight_stats,
)
from minikaldi.ivector.utterance_stats import BatchStats, WeightedFrames, batch_stats
from tests.minikaldi.helpers.extractor_passes import keys_of, updated
from tests.minikaldi.helpers.slow_extractor import Utterance, random_extractor, random_utterance, utterance_statistics


def batch_of(extractor: IvectorExtractor, count: int) -> tuple[list[Utterance], ExtractorTerms, BatchStats]:
    """Utterances and their statistics."""
    constant = IvectorExtractor(
        extractor.projections, extractor.inv_covars, np.full(extractor.num_gauss, 1 / extractor.num_gauss),
        np.zeros((0, 0)), extractor.prior_offset,
    )  # fmt: skip
    utterances = [random_utterance(constant, 15 + 5 * index, index) for index in range(count)]
    terms = terms_of(extractor)
    part = [WeightedFrames(row, *utterance) for row, utterance in enumerate(utterances)]
    return utterances, terms, batch_stats(part, count, terms.centres, True)


def slow_posterior(extractor: IvectorExtractor, counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean about zero and covariance: the quadratic bound around the current vector, at most four times."""
    fixed, linear = np.eye(extractor.ivector_dim), np.zeros(extractor.ivector_dim)
    linear[0] = extractor.prior_offset
    for gauss in range(extractor.num_gauss):
        weighted = extractor.projections[gauss].T @ unpacked(extractor.inv_covars[gauss])
        fixed += counts[gauss] * weighted @ extractor.projections[gauss]
        linear += weighted @ sums[gauss]
    covar = np.linalg.inv(fixed)
    vector = covar @ linear
    for _ in range(4):
        logs = extractor.weight_projections @ vector
        weights = np.exp(logs) / np.exp(logs).sum()
        slope, curvature = linear.copy(), fixed.copy()
        for gauss, row in enumerate(extractor.weight_projections):
            bound = max(counts[gauss], counts.sum() * weights[gauss])
            slope += row * (counts[gauss] - counts.sum() * weights[gauss] + bound * logs[gauss])
            curvature += bound * np.outer(row, row)
        covar = np.linalg.inv(curvature)
        last, vector = vector, covar @ slope
        if np.linalg.norm(vector - last) < 0.1:
            break
    return vector, covar


def test_posterior_equals_that_of_the_slow_version() -> None:
    extractor = random_extractor(with_weights=True)
    utterances, terms, stats = batch_of(extractor, 10)  # more than a block
    found = posterior_with_weights(terms, stats, equations_of(terms, stats, keys_of(stats)))
    for row, utterance in enumerate(utterances):
        counts, sums, _ = utterance_statistics(extractor, utterance)
        vector, covar = slow_posterior(extractor, counts, sums)
        vector[0] -= extractor.prior_offset
        np.testing.assert_allclose(found.means[row], vector, atol=1e-5 * np.abs(vector).max())
        np.testing.assert_allclose(found.covars[row], covar, atol=1e-5 * np.abs(covar).max())


def test_the_vector_raises_the_auxiliary_function_over_the_priors_mean_and_near_it() -> None:
    extractor = random_extractor(with_weights=True)
    _, terms, stats = batch_of(extractor, 3)
    equations = equations_of(terms, stats, keys_of(stats))
    means = posterior_with_weights(terms, stats, equations).means
    best = point_auxf(terms, stats, equations, means)
    assert (best > point_auxf(terms, stats, equations, np.zeros_like(means))).all()
    rng = np.random.default_rng(0)
    for _ in range(20):
        # The iteration ends at a change of 0.1, so steps of 0.5 lead down.
        step = rng.standard_normal(means.shape)
        step *= 0.5 / np.linalg.norm(step, axis=1, keepdims=True)
        assert (point_auxf(terms, stats, equations, means + step) < best).all()


def test_log_weights_are_those_of_a_softmax() -> None:
    extractor = random_extractor(with_weights=True)
    terms = terms_of(extractor)
    vectors = np.random.default_rng(0).standard_normal((2, 4))
    full = vectors + np.array([100.0, 0, 0, 0])
    logs = full @ extractor.weight_projections.T
    expected = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_weights(terms, vectors), expected, atol=1e-9)


def test_auxiliary_function_of_a_point_is_kaldis_formula() -> None:
    extractor = random_extractor(with_weights=True)
    _, terms, stats = batch_of(extractor, 2)
    equations = equations_of(terms, stats, keys_of(stats))
    posterior = posterior_with_weights(terms, stats, equations)
    found = moments_of(terms, stats, equations, posterior)
    for row in range(2):
        mean, covar = posterior.means[row], posterior.covars[row]
        precision, linear = unpacked(equations.precisions[row]), equations.linear[row]
        logs = log_weights(terms, mean[None, :])[0]
        weights, rows = np.exp(logs), extractor.weight_projections
        jacobian = rows + np.outer(weights, rows.T @ weights)
        curvature = jacobian.T @ np.diag(stats.counts[row]) @ jacobian
        acoustic = logs @ stats.counts[row] - 0.5 * np.trace(curvature @ covar)
        acoustic += mean @ linear - 0.5 * mean @ (precision - np.eye(4)) @ mean
        acoustic -= 0.5 * np.trace(covar @ (precision - np.eye(4)))
        prior = -0.5 * (mean @ mean + np.trace(covar) - 4 - np.linalg.slogdet(covar)[1])
        np.testing.assert_allclose(found.auxf[row], acoustic + prior, rtol=1e-5)
        np.testing.assert_allclose(
            unpacked(found.moments[row]), covar + np.outer(mean, mean), atol=1e-5 * np.abs(covar).max() * 10
        )


def test_drawn_vectors_have_the_posteriors_mean_and_the_statistics_are_sums_over_them() -> None:
    extractor = random_extractor(with_weights=True)
    _, terms, stats = batch_of(extractor, 2)
    posterior = posterior_with_weights(terms, stats, equations_of(terms, stats, keys_of(stats)))
    drawn = weight_stats(terms, stats, posterior, 4000, ["a", "b"])
    vectors = drawn.vectors.reshape(2, 4000, 4)
    means = posterior.means + np.array([100.0, 0, 0, 0])
    np.testing.assert_allclose(vectors.mean(axis=1), means, atol=1e-9)
    for row in range(2):
        # The standard error of a variance from 4,000 draws is 2 %.
        np.testing.assert_allclose(
            np.cov(vectors[row].T), posterior.covars[row], atol=0.1 * posterior.covars[row].max()
        )
    accumulator = StatsAccumulator(terms, True, True)
    accumulator.add(stats, moments_of(terms, stats, equations_of(terms, stats, keys_of(stats)), posterior))
    few = weight_stats(terms, stats, posterior, 3, ["a", "b"])
    accumulator.add_weights(few)
    found = accumulator.finish()
    linear, quadratic = np.zeros((5, 4)), np.zeros((5, 4, 4))
    for index, vector in enumerate(few.vectors):
        counts = stats.counts[index // 3]
        logs = extractor.weight_projections @ vector
        weights = np.exp(logs) / np.exp(logs).sum()
        for gauss in range(5):
            bound = max(counts[gauss], counts.sum() * weights[gauss])
            slope = counts[gauss] - counts.sum() * weights[gauss] + bound * logs[gauss]
            linear[gauss] += slope * vector / 3
            quadratic[gauss] += bound * np.outer(vector, vector) / 3
    np.testing.assert_allclose(found.weight_linear, linear, atol=1e-5 * np.abs(linear).max())
    np.testing.assert_allclose(unpacked(found.weight_quadratic), quadratic, atol=1e-5 * np.abs(quadratic).max())


def test_drawn_vectors_are_seeded_by_the_utterance() -> None:
    extractor = random_extractor(with_weights=True)
    _, terms, stats = batch_of(extractor, 2)
    posterior = posterior_with_weights(terms, stats, equations_of(terms, stats, keys_of(stats)))
    first = weight_stats(terms, stats, posterior, 3, ["a", "b"]).vectors
    np.testing.assert_array_equal(first, weight_stats(terms, stats, posterior, 3, ["a", "b"]).vectors)
    assert not np.array_equal(first, weight_stats(terms, stats, posterior, 3, ["a", "c"]).vectors)


def test_each_pass_draws_other_vectors_since_its_model_is_another() -> None:
    extractor = random_extractor(with_weights=True)
    _, terms, stats = batch_of(extractor, 1)
    posterior = posterior_with_weights(terms, stats, equations_of(terms, stats, keys_of(stats)))
    first = weight_stats(terms, stats, posterior, 3, ["a"]).vectors
    nearly = replace(terms, weight_projections=terms.weight_projections * (1 + 1e-12))
    assert np.abs(weight_stats(nearly, stats, posterior, 3, ["a"]).vectors - first).max() > 0.01
    offset = replace(terms, prior_offset=terms.prior_offset + 1e-9)
    assert np.abs(weight_stats(offset, stats, posterior, 3, ["a"]).vectors - first).max() > 0.01


def test_zero_weight_projections_give_the_vectors_of_constant_weights() -> None:
    constant = random_extractor()
    extractor = IvectorExtractor(
        constant.projections, constant.inv_covars, np.zeros(0), np.zeros((5, 4)), constant.prior_offset
    )
    _, terms, stats = batch_of(extractor, 3)
    equations = equations_of(terms, stats, keys_of(stats))
    precisions = unpacked(equations.precisions)
    expected = np.linalg.solve(precisions, equations.linear[:, :, None])[:, :, 0]
    found = posterior_with_weights(terms, stats, equations)
    np.testing.assert_allclose(found.means, expected, atol=1e-6)


def test_training_with_weights_raises_the_auxiliary_function() -> None:
    extractor = random_extractor(with_weights=True)

    def pass_over(model: IvectorExtractor) -> ExtractorStats:
        terms = terms_of(model)
        accumulator = StatsAccumulator(terms, True, True)
        part = [WeightedFrames(row, *utterance) for row, utterance in enumerate(utterances)]
        stats = batch_stats(part, len(part), terms.centres, True)
        equations = equations_of(terms, stats, keys_of(stats))
        posterior = posterior_with_weights(terms, stats, equations)
        accumulator.add(stats, moments_of(terms, stats, equations, posterior))
        keys = [str(row) for row in range(len(part))]
        accumulator.add_weights(weight_stats(terms, stats, posterior, 10, keys))
        return accumulator.finish()

    utterances, _, _ = batch_of(extractor, 30)
    history = []
    for _ in range(4):
        stats = pass_over(extractor)
        history.append(stats.auxf / stats.counts.sum())
        extractor = updated(extractor, stats)
    # The statistics are sampled and the function is bounded, so it need not rise in every pass; over all it must.
    assert history[-1] > history[0] + 0.1, history
