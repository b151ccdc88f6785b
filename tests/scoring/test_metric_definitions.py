"""The definitions of EER and minDCF against slow versions, other libraries, and values that others computed."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from scoring.metrics import SortedTrials, eer, eer_by_kaldi, hull_eer, min_dcf, min_dcf_of_rates
from scoring.metrics import main as metrics_main

# Few distinct values, so that ties are common.
trial_lists = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda drawn: len({label for _, label in drawn}) == 2
)
Point = tuple[Fraction, Fraction]


def exact_points(drawn: list[tuple[int, bool]]) -> list[Point]:
    """(FNR, FPR) at every threshold by counting, in fractions, from "accept everything" up."""
    targets = [score for score, label in drawn if label]
    nontargets = [score for score, label in drawn if not label]
    points = []
    for threshold in [-np.inf, *sorted({score for score, _ in drawn})]:
        missed = sum(score <= threshold for score in targets)
        accepted = sum(score > threshold for score in nontargets)
        points.append((Fraction(missed, len(targets)), Fraction(accepted, len(nontargets))))
    return points


def on_the_diagonal(first: Point, second: Point) -> Fraction:
    """Where FNR = FPR on the line through two points, one on each side of it or on it."""
    gaps = first[0] - first[1], second[0] - second[1]
    share = Fraction(0) if gaps[0] == 0 else -gaps[0] / (gaps[1] - gaps[0])
    return first[0] + share * (second[0] - first[0])


def slow_eer(drawn: list[tuple[int, bool]]) -> Fraction:
    """The first crossing on the lines between neighbours."""
    points = exact_points(drawn)
    after = next(place for place, (fnr, fpr) in enumerate(points) if fnr >= fpr)
    return on_the_diagonal(points[after - 1], points[after])


def slow_hull_eer(drawn: list[tuple[int, bool]]) -> Fraction:
    """The lowest crossing on a line through any two operating points on different sides: the hull has it."""
    points = exact_points(drawn)
    below = [point for point in points if point[0] <= point[1]]
    above = [point for point in points if point[0] >= point[1]]
    return min(on_the_diagonal(first, second) for first in below for second in above)


def arrays(drawn: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in drawn], dtype=float), np.array([label for _, label in drawn])


@given(trial_lists)
def test_eer_equals_exact_arithmetic_on_all_thresholds(drawn: list[tuple[int, bool]]) -> None:
    # Some dozen roundings of numbers up to 1.
    assert eer(*arrays(drawn)) == pytest.approx(float(slow_eer(drawn)), abs=1e-12)


@given(trial_lists)
def test_hull_eer_equals_the_lowest_line_through_two_points_and_is_at_most_eer(drawn: list[tuple[int, bool]]) -> None:
    found = hull_eer(*arrays(drawn))
    assert found == pytest.approx(float(slow_hull_eer(drawn)), abs=1e-12)
    assert found <= eer(*arrays(drawn)) + 1e-12


@given(trial_lists, st.floats(0.001, 0.999), st.floats(0.1, 50), st.floats(0.1, 50))
def test_min_dcf_equals_the_least_cost_for_any_costs_and_priors(
    drawn: list[tuple[int, bool]], p_target: float, c_miss: float, c_fa: float
) -> None:
    costs = [c_miss * p_target * float(fnr) + c_fa * (1 - p_target) * float(fpr) for fnr, fpr in exact_points(drawn)]
    expected = min(costs) / min(c_miss * p_target, c_fa * (1 - p_target))
    found = min_dcf(*arrays(drawn), p_target, c_miss, c_fa)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12) and found <= 1 + 1e-12


@given(trial_lists)
def test_hull_eer_bounds_the_cost_of_every_prior(drawn: list[tuple[int, bool]]) -> None:
    # min over thresholds of p FNR + (1 - p) FPR is greatest, over p, where the hull meets the diagonal.
    scores, labels = arrays(drawn)
    rates = SortedTrials(scores, labels).rates()
    least = [np.min(p * rates.fnr + (1 - p) * rates.fpr) for p in np.linspace(0.01, 0.99, 50)]
    assert max(least) <= hull_eer(scores, labels) + 1e-12


def test_hull_eer_by_hand() -> None:
    # FNR, FPR: (0, 1), (0, 1/2), (1/2, 1/2), (1/2, 0), (1, 0). The hull goes from (0, 1/2) to (1/2, 0): 1/4.
    scores, labels = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])
    assert hull_eer(scores, labels) == 0.25
    assert eer(scores, labels) == 0.5


def test_hull_eer_of_separated_and_of_constant_scores() -> None:
    labels = np.array([False, False, True])
    assert hull_eer(np.array([0.0, 1.0, 2.0]), labels) == 0.0
    assert hull_eer(np.zeros(3), labels) == 0.5
    assert hull_eer(np.array([2.0, 2.0, 1.0]), labels) == 0.5  # worse than chance: the hull is the chord


def test_hull_eer_equals_that_of_isotonic_regression() -> None:
    """Pool adjacent violators makes the hull: each pool is an edge."""
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(3)
    labels = rng.random(500) < 0.3
    scores = np.round(rng.normal(size=500) + labels, 1)
    order = np.lexsort((~labels, scores))  # ties: targets first, so that they fall into one pool
    pooled = isotonic_regression(labels[order].astype(float))
    ends = pooled.blocks[1:] - 1
    fnr = np.append(0.0, np.cumsum(labels[order])[ends] / labels.sum())
    fpr = np.append(1.0, 1 - np.cumsum(~labels[order])[ends] / (~labels).sum())
    after = int(np.argmax(fnr >= fpr))
    points = [(Fraction(fnr[place]), Fraction(fpr[place])) for place in (after - 1, after)]
    assert hull_eer(scores, labels) == pytest.approx(float(on_the_diagonal(*points)), abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 6])
def test_operating_points_are_those_of_scikit_learn(decimals: int) -> None:
    from sklearn.metrics import det_curve, roc_curve

    rng = np.random.default_rng(decimals)
    labels = rng.random(800) < 0.2
    scores = np.round(rng.normal(size=800) + 1.5 * labels, decimals)
    rates = SortedTrials(scores, labels).rates()
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    # By falling threshold there; counts divided by counts, so equal up to the rounding of 1 - x.
    np.testing.assert_allclose(rates.fnr[::-1], 1.0 - tpr, atol=1e-12)
    np.testing.assert_allclose(rates.fpr[::-1], fpr, atol=1e-12)
    det_fpr, det_fnr, _ = det_curve(labels, scores)
    for p_target in (0.01, 0.5):
        cost = (p_target * det_fnr + (1 - p_target) * det_fpr).min() / min(p_target, 1 - p_target)
        # The DET curve leaves out "reject everything".
        assert min_dcf(scores, labels, p_target) == pytest.approx(min(cost, 1.0), abs=1e-12)


def golden_trials() -> tuple[np.ndarray, np.ndarray]:
    """The trials of golden_calibration.json, by its recipe."""
    rng = np.random.default_rng(20261130)
    targets, nontargets = np.round(rng.normal(2, 1, 300), 2), np.round(rng.normal(-1, 1.5, 4000), 2)
    return np.concatenate([targets, nontargets]), np.arange(4300) < 300


def test_golden_values_of_the_hull_and_of_min_dcf(shared: Path) -> None:
    golden = json.loads((shared / "golden-scoring" / "golden_calibration.json").read_text())
    scores, labels = golden_trials()
    # Found there by a search over p that ends at 1e-11 or so; the exact value differs by 2e-12.
    assert hull_eer(scores, labels) == pytest.approx(golden["eer_rocch"], abs=1e-10)
    for p_target in (0.5, 0.05, 0.01, 0.001):
        assert min_dcf(scores, labels, p_target) == pytest.approx(golden[f"min_dcf_{p_target}"], abs=1e-12)


def test_golden_act_dcf_is_a_cost_at_the_threshold_of_the_prior(shared: Path) -> None:
    golden = json.loads((shared / "golden-scoring" / "golden_calibration.json").read_text())
    scores, labels = golden_trials()
    rates = SortedTrials(scores, labels).rates()
    for p_target in (0.5, 0.05, 0.01, 0.001):
        # A score that equals the threshold is accepted there.
        place = int(np.searchsorted(rates.thresholds, np.log((1 - p_target) / p_target))) - 1
        cost = p_target * rates.fnr[place] + (1 - p_target) * rates.fpr[place]
        assert cost / min(p_target, 1 - p_target) == pytest.approx(golden[f"act_dcf_{p_target}"], abs=1e-12)


def test_kaldis_eer_of_the_golden_cases(shared: Path) -> None:
    """Each golden call of compute-eer that succeeded, by the function that the metrics use."""
    found = 0
    for case in sorted((shared / "golden" / "cases").glob("eer*")):
        expected = (case / "stdout").read_text().strip() if (case / "stdout").is_file() else ""
        if not expected:
            continue
        lines = [line.split() for line in (shared / "golden" / "inputs" / "eer.in").read_text().splitlines()]
        labels = np.array([line[1] == "target" for line in lines])
        assert f"{100 * eer_by_kaldi(np.array([float(line[0]) for line in lines]), labels):.4g}" == expected
        found += 1
    assert found >= 1


def test_the_lowest_threshold_of_several_that_reach_the_cost() -> None:
    rates = SortedTrials(np.array([0.0, 1.0, 2.0]), np.array([False, True, True])).rates()
    assert min_dcf_of_rates(rates, 0.5) == (0.0, 0.0)


def test_infinite_scores_are_scores() -> None:
    scores, labels = np.array([-np.inf, 0.0, np.inf]), np.array([False, False, True])
    assert (eer(scores, labels), hull_eer(scores, labels), min_dcf(scores, labels, 0.01)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("cost", [0.0, -1.0, np.inf, np.nan])
def test_a_cost_that_is_not_positive_is_refused(cost: float) -> None:
    for costs in ((cost, 1.0), (1.0, cost)):
        with pytest.raises(InputError, match="costs above 0"):
            min_dcf(np.array([0.0, 1.0]), np.array([False, True]), 0.5, *costs)


def test_the_program_prints_each_eer_and_takes_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trials").write_text("a b target\na c nontarget\na d target\na e nontarget\n")
    (tmp_path / "scores").write_text("a e 1\na b 2\na c 3\na d 4\n")
    words = [str(tmp_path / "scores"), str(tmp_path / "trials"), "--p-target", "0.5", "--c-miss", "10"]
    assert metrics_main(words) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "EER 50.000 %",
        "EER (Kaldi's compute-eer) 50.000 %",
        "EER (convex hull) 25.000 %",
        "minDCF(0.5) 0.5000",  # 0.5 · 1/2 accepted, over min(10 · 0.5, 0.5)
        "trials 4: 2 targets, 2 nontargets",
    ]
