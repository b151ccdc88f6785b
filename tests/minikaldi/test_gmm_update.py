"""Updates of the mixtures: by hand, more likely than before, floors, low counts, flags, splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm_of_moments
from minikaldi.gmm.diag_likes import DiagScorer
from minikaldi.gmm.diag_stats import DiagAccumulator, DiagStats
from minikaldi.gmm.diag_update import update_diag
from minikaldi.gmm.flags import GmmFlags, parse_flags
from minikaldi.gmm.full_gmm import full_gmm_of_moments
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.full_stats import FullAccumulator, FullStats
from minikaldi.gmm.full_update import EigenvalueLimits, floored_inverses, update_full
from minikaldi.gmm.low_counts import CountLimits, by_counts, new_weights
from minikaldi.gmm.splitting import split_diag, split_full
from minikaldi.gmm.triangles import packed_of
from tests.minikaldi.helpers.slow_mixtures import random_diag, random_frames, random_full, random_moments

MVW = parse_flags("mvw")
KEEP = CountLimits(1e-5, 0.5, False)
REMOVE = CountLimits(1e-5, 0.5, True)
WIDE = EigenvalueLimits(1e-6, 1e12)


def one_dim(means: list[float], variances: list[float]) -> DiagGmm:
    count = len(means)
    return diag_gmm_of_moments(np.full(count, 1 / count), np.array(means)[:, None], np.array(variances)[:, None])


def stats_of(occupancy: list[float], sums: list[float], squares: list[float]) -> DiagStats:
    return DiagStats(MVW, 1, np.array(occupancy), np.array(sums)[:, None], np.array(squares)[:, None])


def test_a_diagonal_update_by_hand() -> None:
    """4 frames of mean 2, variance 1; 12 of mean -1, variance 3."""
    stats = stats_of([4, 12], [8, -12], [20, 48])
    gmm, report = update_diag(one_dim([0, 0], [1, 1]), stats, MVW, KEEP, 0.001)
    np.testing.assert_allclose(gmm.weights, [0.25, 0.75])
    np.testing.assert_allclose(gmm.means()[:, 0], [2, -1], rtol=1e-6)
    np.testing.assert_allclose(gmm.variances()[:, 0], [1, 3], rtol=1e-6)
    # log w - log v / 2 - 1/2 for each frame, less log 0.5 - x²/2; the terms of 2π are equal.
    new = 4 * (np.log(0.25) - 0.5) + 12 * (np.log(0.75) - 0.5 * np.log(3) - 0.5)
    assert report.improvement == pytest.approx(new - (16 * np.log(0.5) - 34), rel=1e-5)
    assert (report.count, report.floored) == (16, 0)


@pytest.mark.parametrize(
    ("flags", "weights", "means", "variances"),
    [
        ("w", [0.25, 0.75], [0, 0], [1, 1]),
        ("m", [0.5, 0.5], [2, -1], [1, 1]),
        ("v", [0.5, 0.5], [0, 0], [5, 4]),  # about the old mean 0
        ("", [0.5, 0.5], [0, 0], [1, 1]),
    ],
)
def test_only_what_the_flags_name_is_updated(
    flags: str, weights: list[float], means: list[float], variances: list[float]
) -> None:
    stats = stats_of([4, 12], [8, -12], [20, 48])
    gmm, _ = update_diag(one_dim([0, 0], [1, 1]), stats, parse_flags(flags), KEEP, 0.001)
    full, _ = update_full(
        full_gmm_of_moments(np.full(2, 0.5), np.zeros((2, 1)), np.ones((2, 1, 1))),
        FullStats(MVW, 1, stats.occupancy, stats.sums, stats.squares - stats.sums**2 / stats.occupancy[:, None]),
        parse_flags(flags),
        KEEP,
        WIDE,
    )
    for found in (gmm, full):
        np.testing.assert_allclose(found.weights, weights)
        np.testing.assert_allclose(found.means()[:, 0], means, rtol=1e-6)
    np.testing.assert_allclose(gmm.variances()[:, 0], variances, rtol=1e-6)
    np.testing.assert_allclose(full.covars()[:, 0, 0], variances, rtol=1e-6)


def test_one_gaussian_gets_mean_and_covariance_of_all_frames() -> None:
    feats = random_frames(500, 4).astype(np.float64) @ np.random.default_rng(5).standard_normal((4, 4)) + 3
    start = full_gmm_of_moments(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])
    accumulator = FullAccumulator(FullScorer(start), MVW)
    accumulator.add(feats.astype(np.float32))
    gmm, _ = update_full(start, accumulator.stats(), MVW, KEEP, WIDE)
    np.testing.assert_allclose(gmm.means()[0], feats.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(gmm.covars()[0], np.cov(feats.T, bias=True), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_each_update_makes_the_frames_more_likely(kind: str) -> None:
    feats = np.concatenate([random_frames(300, 3), random_frames(300, 3, 9) * 0.5 + np.float32(2)])
    gmm: Any = random_diag(4, 3) if kind == "diag" else random_full(4, 3)
    likes = []
    for _ in range(5):
        accumulator: Any = (
            DiagAccumulator(DiagScorer(gmm), MVW) if kind == "diag" else FullAccumulator(FullScorer(gmm), MVW)
        )
        likes.append(accumulator.add(feats).sum())
        stats = accumulator.stats()
        if kind == "diag":
            gmm, report = update_diag(gmm, stats, MVW, KEEP, 1e-6)
        else:
            gmm, report = update_full(gmm, stats, MVW, KEEP, WIDE)
        assert report.improvement > 0
        # The likelihood grows at least as much as the auxiliary function.
        likes.append(likes[-1] + report.improvement)
    assert all(after >= bound - 0.01 for bound, after in zip(likes[1::2], likes[2::2], strict=False))


def test_variances_are_floored_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    stats = stats_of([4, 12], [8, -12], [16.0004, 48])
    gmm, report = update_diag(one_dim([0, 0], [1, 1]), stats, MVW, KEEP, 0.5)
    np.testing.assert_allclose(gmm.variances()[:, 0], [0.5, 3], rtol=1e-6)
    report.log_all()
    assert "1 variances floored in 1 Gaussians." in caplog.text


@pytest.mark.parametrize(
    ("limits", "expected", "raised"),
    [
        (EigenvalueLimits(0.5, 1e9), [9, 1, 0.5], 1),
        (EigenvalueLimits(1e-9, 4), [9, 2.25, 2.25], 2),
        (EigenvalueLimits(1e-9, 1e9), [9, 1, 0.01], 0),
    ],
)
def test_eigenvalues_are_raised_to_the_floor(limits: EigenvalueLimits, expected: list[float], raised: int) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    inverses, count = floored_inverses((turn * [9, 1, 0.01] @ turn.T)[None], limits)
    assert count.tolist() == [raised]
    np.testing.assert_allclose(inverses[0], turn / expected @ turn.T, rtol=1e-9, atol=1e-9)


def test_a_covariance_of_one_frame_is_floored_not_refused() -> None:
    stats = FullStats(MVW, 2, np.array([1.0]), np.array([[3.0, 4.0]]), np.zeros((1, 3)))
    start = full_gmm_of_moments(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    gmm, report = update_full(start, stats, MVW, KEEP, EigenvalueLimits(0.001, 1e4))
    np.testing.assert_allclose(gmm.covars()[0], 0.001 * np.eye(2), rtol=1e-5)
    assert report.floored == 2


def test_gaussians_with_few_frames_are_removed_but_the_last() -> None:
    stats = stats_of([0.1, 8, 0.2], [0.1, 8, 0.2], [0.1, 16, 0.2])
    gmm, _ = update_diag(one_dim([0, 0, 7], [1, 1, 1]), stats, MVW, REMOVE, 0.001)
    assert (gmm.num_gauss, gmm.weights.tolist()) == (1, [1.0])
    np.testing.assert_allclose(gmm.means(), [[1]], rtol=1e-6)
    nothing, _ = update_diag(one_dim([0, 3, 7], [1, 1, 1]), stats_of([0] * 3, [0] * 3, [0] * 3), MVW, REMOVE, 0.001)
    np.testing.assert_allclose(nothing.means(), [[7]], rtol=1e-6)


def test_gaussians_with_few_frames_that_stay_keep_their_place(caplog: pytest.LogCaptureFixture) -> None:
    moments = random_moments(3, 2)
    old = full_gmm_of_moments(*moments)
    occupancy, sums = np.array([90.0, 0.1, 10]), np.zeros((3, 2))
    stats = FullStats(MVW, 2, occupancy, sums, packed_of(np.eye(2) * occupancy[:, None, None]))
    gmm, _ = update_full(old, stats, MVW, CountLimits(0.01, 0.5, False), WIDE)
    np.testing.assert_allclose(gmm.means()[1], moments[1][1], rtol=1e-4)
    np.testing.assert_allclose(gmm.covars()[1], moments[2][1], rtol=1e-4)
    np.testing.assert_allclose(gmm.weights, [90 / 100.1, 0.01, 10 / 100.1], rtol=1e-5)
    assert "not removing it because remove-low-count-gaussians == false: i = 1, occ = 0.1" in caplog.text


def test_the_report_of_a_removed_gaussian_is_kaldis(caplog: pytest.LogCaptureFixture) -> None:
    counts = by_counts(np.array([0.0, 3.0]), REMOVE, 30, "g")
    assert counts.removed.tolist() == [True, False]
    words = "Too little data - removing Gaussian (weight 0.000000, occupation count 0.000000, vector size 30)"
    assert words in caplog.text
    assert new_weights(np.array([0.4, 0.6]), counts, REMOVE).tolist() == [0.4, 1.0]


def test_statistics_of_another_model_or_of_fewer_parameters_are_refused() -> None:
    stats = stats_of([4, 12], [8, -12], [20, 48])
    with pytest.raises(KaldiError, match="the statistics are of 2 Gaussians of 1 dimensions, the model has 3"):
        update_diag(one_dim([0, 0, 0], [1, 1, 1]), stats, MVW, KEEP, 0.001)
    only = DiagStats(GmmFlags.WEIGHTS, 1, np.ones(2), np.zeros((0, 0)), np.zeros((0, 0)))
    with pytest.raises(KaldiError, match="accumulated for w"):
        update_diag(one_dim([0, 0], [1, 1]), only, MVW, KEEP, 0.001)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_statistics_that_are_not_finite_are_refused(wrong: float) -> None:
    with pytest.raises(KaldiError, match=r"statistics of Gaussian 1 hold NaN or infinity.*accumulate them again"):
        update_diag(one_dim([0, 0], [1, 1]), stats_of([4, 12], [8, wrong], [20, 48]), MVW, KEEP, 0.001)
    with pytest.raises(KaldiError, match="statistics of Gaussian 0 hold NaN"):
        update_diag(one_dim([0, 0], [1, 1]), stats_of([wrong, 12], [8, 1], [20, 48]), MVW, KEEP, 0.001)
    full = random_full(2, 1)
    stats = FullStats(MVW, 1, np.array([4.0, 12.0]), np.ones((2, 1)), np.array([[1.0], [wrong]]))
    with pytest.raises(KaldiError, match="statistics of Gaussian 1 hold NaN"):
        update_full(full, stats, MVW, KEEP, EigenvalueLimits(0.001, 1e4))


@pytest.mark.parametrize("target", [4, 6, 11])
def test_the_heaviest_gaussian_is_split_into_two_of_the_same_covariance(target: int) -> None:
    random = np.random.default_rng(0)
    diag, full = random_diag(4, 3), random_full(4, 3)
    for found, old in ((split_diag(diag, target, 0.1, random), diag), (split_full(full, target, 0.1, random), full)):
        assert found.num_gauss == target
        assert found.weights.sum() == pytest.approx(1, rel=1e-6)
        assert found.weights.max() <= max(old.weights.max() / (1 if target == 4 else 2), np.sort(old.weights)[-2])
        centre = found.weights.astype(np.float64) @ (found.means())  # each step is there with both signs
        if target in (4, 6):
            np.testing.assert_allclose(centre, old.weights.astype(np.float64) @ old.means(), atol=1e-5)
    halves = split_diag(one_dim([2, 5], [4, 1]), 3, 0.1, random)
    assert halves.weights.tolist() == [0.25, 0.5, 0.25]
    assert halves.means()[0, 0] + halves.means()[2, 0] == pytest.approx(4, rel=1e-5)
    assert abs(halves.means()[0, 0] - 2) < 0.1 * 2 * 6  # six standard deviations of the step
    assert halves.variances()[2, 0] == 4


def test_a_smaller_number_to_split_to_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KaldiError, match="Cannot split from 4 to 3"):
        split_diag(random_diag(4, 3), 3, 0.1, np.random.default_rng(0))
    assert split_full(random_full(4, 3), 4, 0.1, np.random.default_rng(0)).num_gauss == 4
    assert "Already have the target" in caplog.text
