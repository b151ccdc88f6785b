"""The estimation of an i-vector extractor: by hand, against plain formulas, and that a pass never makes it worse."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.triangles import packed_of, unpacked
from minikaldi.ivector.extractor import transformed_extractor
from minikaldi.ivector.extractor_prior import update_prior
from minikaldi.ivector.extractor_update import UpdateRules, floored_covariances, update_parameters
from minikaldi.ivector.quadratic_problem import solve_quadratic
from tests.minikaldi.helpers.extractor_passes import RULES, copy_of, hand_case, ignore, stats_of, updated, vectors_by
from tests.minikaldi.helpers.slow_extractor import random_extractor, random_utterance


def test_an_update_by_hand() -> None:
    extractor, utterance = hand_case()
    model = updated(extractor, stats_of(extractor, [utterance]))
    linear, quadratic = 9 * 26 / 7, 3 * (4 / 7 + (26 / 7) ** 2)
    variance = (29 - linear**2 / quadratic) / 3
    # the vectors' covariance, 4/7, becomes 1: the projection takes its root, and the offset the mean over it
    np.testing.assert_allclose(model.projections, [[[linear / quadratic * np.sqrt(4 / 7)]]], rtol=1e-6)
    np.testing.assert_allclose(model.inv_covars, [[1 / variance]], rtol=1e-6)
    np.testing.assert_allclose(model.prior_offset, 26 / 7 / np.sqrt(4 / 7), rtol=1e-6)


@pytest.mark.parametrize("diagonalize", [True, False])
def test_the_auxiliary_function_never_falls(diagonalize: bool) -> None:
    truth = random_extractor(seed=5)
    utterances = [random_utterance(truth, 30, index) for index in range(40)]
    extractor = random_extractor(seed=6)
    rules = UpdateRules(1.0, 0.01, diagonalize)
    history = []
    for _ in range(6):
        stats = stats_of(extractor, utterances)
        history.append(stats.auxf / stats.counts.sum())
        extractor = updated(extractor, stats, rules)
    assert (np.diff(history) > -1e-5).all(), history  # rounding of float32 products
    assert history[-1] > history[0] + 0.1


def test_the_reported_improvement_is_at_most_what_the_next_pass_finds() -> None:
    truth, extractor = random_extractor(seed=5), random_extractor(seed=6)
    utterances = [random_utterance(truth, 30, index) for index in range(40)]
    before = stats_of(extractor, utterances)
    model, parameters = update_parameters(copy_of(extractor), before, RULES, ignore, ignore)
    model, prior = update_prior(model, before, True, ignore, ignore)
    after = stats_of(model, utterances)
    gain = (after.auxf - before.auxf) / before.counts.sum()
    assert 0.0 < parameters + prior <= gain + 1e-5


def test_projections_are_linear_over_quadratic_statistics_and_covariances_are_those_of_the_residuals() -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 40, index) for index in range(20)])
    model, _ = update_parameters(copy_of(extractor), stats, RULES, ignore, ignore)
    for gauss in range(extractor.num_gauss):
        quadratic = unpacked(stats.quadratic[gauss])
        projection = stats.linear[gauss] @ np.linalg.inv(quadratic)
        np.testing.assert_allclose(model.projections[gauss], projection, rtol=1e-5, atol=1e-7)
        residual = unpacked(stats.scatter[gauss]) - stats.linear[gauss] @ projection.T
        covar = np.linalg.inv(unpacked(model.inv_covars[gauss]))
        np.testing.assert_allclose(covar, residual / stats.counts[gauss], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("diagonalize", [True, False])
def test_after_an_update_the_vectors_have_the_prior_that_the_model_says(diagonalize: bool) -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 40, index) for index in range(20)])
    model = update_prior(copy_of(extractor), stats, diagonalize, ignore, ignore)[0]
    transform = np.linalg.lstsq(model.projections.reshape(-1, 4), extractor.projections.reshape(-1, 4), rcond=None)[
        0
    ]  # new vector = transform times old
    mean = stats.ivector_sum / stats.num_ivectors
    covariance = unpacked(stats.ivector_scatter) / stats.num_ivectors - np.outer(mean, mean)
    np.testing.assert_allclose(transform @ covariance @ transform.T, np.eye(4), atol=1e-7)
    np.testing.assert_allclose(transform @ mean, [model.prior_offset, 0, 0, 0], atol=1e-7)


def test_diagonalization_orders_the_dimensions_after_the_first() -> None:
    extractor = random_extractor(ivector_dim=6)
    stats = stats_of(extractor, [random_utterance(extractor, 40, index) for index in range(30)])
    lines: list[str] = []
    update_prior(copy_of(extractor), stats, True, lines.append, ignore)
    shown = next(line for line in lines if line.startswith("Eigenvalues of Vavg")).split("[")[1].rstrip("]").split()
    assert len(shown) == 5
    assert [float(word) for word in shown] == sorted((float(word) for word in shown), reverse=True)


def test_a_transformed_model_gives_transformed_vectors() -> None:
    extractor = random_extractor()
    utterances = [random_utterance(extractor, 20, index) for index in range(3)]
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    transform = np.eye(4)
    transform[1:, 1:] = rotation  # the prior stays N(100 e_0, I)
    model = transformed_extractor(copy_of(extractor), transform, extractor.prior_offset)
    expected = vectors_by(extractor, utterances) @ transform.T
    np.testing.assert_allclose(vectors_by(model, utterances), expected, atol=1e-5 * np.abs(expected).max())


def test_a_gaussian_with_few_frames_keeps_its_parameters() -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 40, index) for index in range(5)])
    least = int(stats.counts.argmin())
    rules = UpdateRules(float(stats.counts[least]) + 1e-6, 0.01, True)
    warnings: list[str] = []
    model, _ = update_parameters(copy_of(extractor), stats, rules, ignore, warnings.append)
    np.testing.assert_array_equal(model.projections[least], extractor.projections[least])
    np.testing.assert_array_equal(model.inv_covars[least], extractor.inv_covars[least])
    assert warnings == [f"Skipping Gaussian index {least} because count {stats.counts[least]:.6g} is below min-count."]


def test_no_gaussian_with_enough_frames_is_refused() -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 10, 0)])
    with pytest.raises(KaldiError, match=r"no Gaussian has 1000 frames.*--gaussian-min-count"):
        update_parameters(extractor, stats, UpdateRules(1000.0, 0.1, True), ignore, ignore)


def test_constant_frames_have_the_floor_as_covariance() -> None:
    extractor = random_extractor(num_gauss=2, dim=2)
    noisy = random_utterance(extractor, 60, 0)
    stats = stats_of(extractor, [noisy])
    stats.scatter[0] = packed_of(stats.linear[0] @ np.linalg.inv(unpacked(stats.quadratic[0])) @ stats.linear[0].T)
    model, _ = update_parameters(copy_of(extractor), stats, UpdateRules(1.0, 0.5, True), ignore, ignore)
    covars = np.linalg.inv(unpacked(model.inv_covars))
    weights = stats.counts / stats.counts.sum()
    # Gaussian 0 has no variance of its own, so it is half of the mean: w0 0 + w1 C1
    np.testing.assert_allclose(covars[0], 0.5 * weights[1] * covars[1], rtol=1e-4)


def test_floored_covariances_are_at_least_the_floor_and_others_are_unchanged() -> None:
    rng = np.random.default_rng(0)
    floor = np.diag([1.0, 2.0, 3.0])
    covars = np.stack([5.0 * np.eye(3), np.diag([0.5, 2.5, 4.0])])
    floored, numbers = floored_covariances(covars, floor)
    np.testing.assert_array_equal(numbers, [0, 1])
    np.testing.assert_array_equal(floored[0], covars[0])
    np.testing.assert_allclose(floored[1], np.diag([1.0, 2.5, 4.0]), atol=1e-12)
    spread = rng.standard_normal((6, 3, 3))
    floored, _ = floored_covariances(spread @ spread.transpose(0, 2, 1), floor)
    assert np.linalg.eigvalsh(floored - floor).min() > -1e-12


def test_a_well_conditioned_quadratic_problem_is_solved_exactly() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((4, 6))
    quadratic = root @ root.T * np.outer([1, 1e3, 1e-3, 1], [1, 1e3, 1e-3, 1])  # scales do not count as conditions
    linear = rng.standard_normal((2, 4))
    solution = solve_quadratic(quadratic, linear, np.eye(2), np.zeros((2, 4)))
    np.testing.assert_allclose(solution.matrix @ quadratic, linear, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(solution.improvement, 0.5 * np.trace(solution.matrix @ linear.T), rtol=1e-9)


def test_small_eigenvalues_are_raised_to_a_ten_thousandth_of_the_largest() -> None:
    vectors = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)  # the diagonal is equal: no scaling
    quadratic = vectors @ np.diag([1.0, 1e-6]) @ vectors.T
    linear = (vectors @ [1.0, 1e-5])[None, :]
    solution = solve_quadratic(quadratic, linear, np.ones((1, 1)), np.zeros((1, 2)))
    np.testing.assert_allclose(solution.matrix @ vectors, [[1.0, 1e-5 / 1e-4]], rtol=1e-6)


def test_a_zero_quadratic_term_and_a_worse_solution_leave_the_old_one() -> None:
    start = np.ones((1, 2))
    assert solve_quadratic(np.zeros((2, 2)), np.ones((1, 2)), np.ones((1, 1)), start).matrix is start
    best = solve_quadratic(np.eye(2), np.ones((1, 2)), np.ones((1, 1)), start)
    np.testing.assert_array_equal(best.matrix, start)
    assert best.improvement == 0.0


@pytest.mark.parametrize("name", ["counts", "linear", "quadratic", "scatter", "ivector_sum", "ivector_scatter"])
def test_statistics_with_nan_are_refused(name: str) -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 40, 0)])
    getattr(stats, name).flat[0] = np.nan
    with pytest.raises(KaldiError, match="the statistics hold NaN or infinity"):
        update_parameters(extractor, stats, RULES, ignore, ignore)


def test_frames_without_variance_are_refused() -> None:
    extractor, utterance = hand_case()
    stats = stats_of(extractor, [utterance])
    stats.linear[:] = stats.scatter[:] = 0.0  # as of frames that are all 0
    with pytest.raises(KaldiError, match="the frames have no variance"):
        update_parameters(extractor, stats, RULES, ignore, ignore)


def test_no_frames_are_refused() -> None:
    extractor = random_extractor()
    stats = stats_of(extractor, [random_utterance(extractor, 40, 0)])
    stats.counts[:] = 0.0
    with pytest.raises(KaldiError, match="the statistics have no frames"):
        update_parameters(extractor, stats, RULES, ignore, ignore)


def test_statistics_of_another_model_are_refused() -> None:
    extractor, other = random_extractor(), random_extractor(num_gauss=6)
    stats = stats_of(other, [random_utterance(other, 40, 0)])
    with pytest.raises(KaldiError, match="accumulate them with this extractor"):
        update_parameters(extractor, stats, RULES, ignore, ignore)
    weighted = random_extractor(with_weights=True)
    stats = stats_of(extractor, [random_utterance(extractor, 40, 0)])
    with pytest.raises(KaldiError, match="only one has weights"):
        update_parameters(weighted, stats, RULES, ignore, ignore)
