"""DET curves: which operating points are drawn, where they lie on normal-deviate axes, and which are marked."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from scoring.det_points import MAX_POINTS, det_curve, marked_points, normal_deviate
from scoring.metrics import P_TARGETS, SortedTrials, eer, min_dcf


def random_trials(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    is_target = rng.random(count) < 0.2
    return rng.normal(size=count) + 2.0 * is_target, is_target


def test_a_short_curve_is_every_operating_point() -> None:
    rates = SortedTrials(np.array([1.0, 3.0, 2.0, 0.0]), np.array([True, True, False, False])).rates()
    curve = det_curve(rates)
    assert curve.fpr.tolist() == [1.0, 0.5, 0.5, 0.0, 0.0]  # thresholds -inf, 0, 1, 2, 3
    assert curve.fnr.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]


def test_a_long_curve_is_thinned_evenly_and_invents_no_point() -> None:
    rates = SortedTrials(*random_trials(50_000)).rates()
    curve = det_curve(rates)
    assert MAX_POINTS // 2 < len(curve.fpr) <= MAX_POINTS
    points = set(zip(rates.fpr.tolist(), rates.fnr.tolist(), strict=True))
    assert set(zip(curve.fpr.tolist(), curve.fnr.tolist(), strict=True)) <= points
    assert (curve.fpr[0], curve.fnr[0], curve.fpr[-1], curve.fnr[-1]) == (1.0, 0.0, 0.0, 1.0)
    inside = (curve.fpr > 0.001) & (curve.fpr < 0.5) & (curve.fnr > 0.001) & (curve.fnr < 0.5)
    x, y = normal_deviate(curve.fpr[inside]), normal_deviate(curve.fnr[inside])
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    whole = normal_deviate(rates.fpr), normal_deviate(rates.fnr)
    length = sum(np.abs(np.diff(side)).sum() for side in whole)
    # Two neighbours are a step apart, each moved by at most half a step of the curve itself.
    assert steps.max() < 2.5 * length / MAX_POINTS


def test_the_deviate_is_that_of_the_normal_distribution_and_finite() -> None:
    rates = np.array([0.001, 0.1, 0.5, 0.9])
    np.testing.assert_allclose(normal_deviate(rates), [NormalDist().inv_cdf(rate) for rate in rates], atol=1e-9)
    assert np.isfinite(normal_deviate(np.array([0.0, 1.0]))).all()


def test_marks_are_the_eer_and_points_with_the_least_cost() -> None:
    scores, is_target = random_trials(2_000)
    equal, *costs = marked_points(SortedTrials(scores, is_target).rates())
    assert (equal.name, equal.fpr, equal.fnr) == ("EER", eer(scores, is_target), eer(scores, is_target))
    for p_target, point in zip(P_TARGETS, costs, strict=True):
        cost = (p_target * point.fnr + (1 - p_target) * point.fpr) / min(p_target, 1 - p_target)
        assert point.name == f"minDCF({p_target:g})"
        assert cost == pytest.approx(min_dcf(scores, is_target, p_target), abs=1e-12)


def test_a_curve_without_errors_is_drawn_too() -> None:
    curve = det_curve(SortedTrials(np.array([0.0, 1.0]), np.array([False, True])).rates())
    assert curve.marked[0].fnr == 0.0 and len(curve.fpr) == 3
