"""Claims about EER and minDCF."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from scoring.metrics import SortedTrials, eer, eer_by_kaldi, min_dcf
from scoring.metrics import main as metrics_main

# Few distinct values, so that ties are common.
trial_lists = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda drawn: len({label for _, label in drawn}) == 2
)


def arrays(drawn: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in drawn], dtype=float), np.array([label for _, label in drawn])


def slow_rates(scores: np.ndarray, is_target: np.ndarray) -> list[tuple[float, float]]:
    """(FNR, FPR) at every threshold by counting, from "accept everything" up."""
    points = []
    for threshold in [-np.inf, *sorted(set(scores.tolist()))]:
        accepted = scores > threshold
        points.append((float((~accepted)[is_target].mean()), float(accepted[~is_target].mean())))
    return points


def test_eer_of_the_example_by_hand_is_one_in_five() -> None:
    # Rejecting up to 0.59 rejects one target of five (0.588) and accepts one nontarget of five (0.6).
    scores = np.array([0.2, 0.3, 0.4, 0.59, 0.6, 0.588, 0.602, 0.7, 0.8, 0.9])
    assert eer(scores, np.arange(10) >= 5) == pytest.approx(0.2, abs=1e-12)


def test_eer_is_interpolated_between_the_points_around_the_crossing() -> None:
    # FNR, FPR: (0, 1), (0, 1/2) after -1, (1, 1/2) after 0, (1, 0): from (0, 1/2) to (1, 1/2) they meet at 1/2.
    assert eer(np.array([-1.0, 0.0, 1.0]), np.array([False, True, False])) == pytest.approx(0.5, abs=1e-12)


def test_separated_scores_have_no_error() -> None:
    scores, labels = np.array([0.0, 1.0, 2.0, 3.0]), np.array([False, False, True, True])
    assert eer(scores, labels) == 0.0
    assert min_dcf(scores, labels, 0.01) == 0.0


def test_constant_scores_are_worth_nothing() -> None:
    scores, labels = np.zeros(6), np.arange(6) < 2
    assert eer(scores, labels) == pytest.approx(0.5)  # the chord from (FPR 1, FNR 0) to (0, 1)
    assert min_dcf(scores, labels, 0.01) == 1.0


def test_min_dcf_by_hand() -> None:
    # Four targets, one below a nontarget; p = 0.5: rejecting up to 1 costs FPR 1/2 alone, up to 3 FNR 1/4 alone.
    scores = np.array([1.0, 3.0, 2.0, 4.0, 5.0, 6.0])
    labels = np.array([False, False, True, True, True, True])
    assert min_dcf(scores, labels, 0.5) == pytest.approx(0.25)  # 0.5 · 1/4 / 0.5
    assert min_dcf(scores, labels, 0.5, c_miss=10.0) == pytest.approx(0.5)  # now better to accept the nontarget


@given(trial_lists)
def test_rates_equal_counting(drawn: list[tuple[int, bool]]) -> None:
    scores, labels = arrays(drawn)
    rates = SortedTrials(scores, labels).rates()
    np.testing.assert_allclose(np.column_stack([rates.fnr, rates.fpr]), slow_rates(scores, labels), atol=1e-12)


@given(trial_lists, st.sampled_from([0.001, 0.01, 0.05, 0.5, 0.9]))
def test_min_dcf_is_the_least_cost_and_at_most_one(drawn: list[tuple[int, bool]], p_target: float) -> None:
    scores, labels = arrays(drawn)
    costs = [p_target * fnr + (1 - p_target) * fpr for fnr, fpr in slow_rates(scores, labels)]
    value = min_dcf(scores, labels, p_target)
    assert value == pytest.approx(min(costs) / min(p_target, 1 - p_target), abs=1e-9)
    assert 0.0 <= value <= 1.0 + 1e-12


@given(trial_lists, st.integers(0, 2**32 - 1))
def test_the_order_of_the_trials_does_not_matter(drawn: list[tuple[int, bool]], seed: int) -> None:
    scores, labels = arrays(drawn)
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    assert eer(scores, labels) == eer(scores[shuffled], labels[shuffled])
    assert min_dcf(scores, labels, 0.1) == min_dcf(scores[shuffled], labels[shuffled], 0.1)


@given(trial_lists)
def test_rising_maps_of_the_scores_change_nothing(drawn: list[tuple[int, bool]]) -> None:
    scores, labels = arrays(drawn)
    for mapped in (3.0 * scores - 7.0, np.exp(scores), np.arctan(scores)):
        assert eer(mapped, labels) == eer(scores, labels)
        assert eer_by_kaldi(mapped, labels) == eer_by_kaldi(scores, labels)
        assert min_dcf(mapped, labels, 0.05) == min_dcf(scores, labels, 0.05)


@given(trial_lists)
def test_eer_of_negated_scores_and_labels_is_the_same(drawn: list[tuple[int, bool]]) -> None:
    scores, labels = arrays(drawn)
    assert eer(-scores, ~labels) == pytest.approx(eer(scores, labels), abs=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_two_conventions_agree_within_two_targets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(1000) < 200
    scores = rng.normal(size=1000) + 2.0 * labels
    # Kaldi's value is a multiple of 1/200 and ends at the first crossing.
    assert abs(eer(scores, labels) - eer_by_kaldi(scores, labels)) <= 2 / 200


def test_integer_weights_equal_repeated_trials() -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(30) < 10
    scores = np.round(rng.normal(size=30) + labels, 1)
    repeats = rng.integers(1, 4, size=30)
    ordered = SortedTrials(scores, labels)
    weighted = ordered.rates(repeats[ordered.order].astype(float))
    repeated = SortedTrials(np.repeat(scores, repeats), np.repeat(labels, repeats)).rates()
    np.testing.assert_allclose(weighted.fnr, repeated.fnr, atol=1e-12)
    np.testing.assert_allclose(weighted.fpr, repeated.fpr, atol=1e-12)


@pytest.mark.parametrize("label", [True, False])
def test_one_kind_of_trial_alone_is_refused(label: bool) -> None:
    with pytest.raises(InputError, match=r"there are no (non)?target trials"):
        eer(np.array([0.0, 1.0]), np.array([label, label]))


def test_a_nan_is_refused() -> None:
    with pytest.raises(InputError, match="score number 2 of 2 is NaN"):
        min_dcf(np.array([0.0, np.nan]), np.array([True, False]), 0.01)


@pytest.mark.parametrize("p_target", [0.0, 1.0, -0.1])
def test_a_prior_that_is_no_probability_is_refused(p_target: float) -> None:
    with pytest.raises(InputError, match="p_target"):
        min_dcf(np.array([0.0, 1.0]), np.array([False, True]), p_target)


def test_kaldis_eer_equals_compute_eer(shared: Path) -> None:
    lines = [line.split() for line in (shared / "golden" / "inputs" / "eer.in").read_text().splitlines()]
    scores, labels = np.array([float(line[0]) for line in lines]), np.array([line[1] == "target" for line in lines])
    assert f"{100 * eer_by_kaldi(scores, labels):.4g}" == "16.67"


def test_the_program_prints_each_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trials").write_text("a b target\na c nontarget\n")
    (tmp_path / "scores").write_text("a b 2\na c 1\n")
    assert metrics_main([str(tmp_path / "scores"), str(tmp_path / "trials")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "EER 0.000 %"
    assert "minDCF(0.001) 0.0000" in printed
    assert printed[-1] == "trials 2: 1 targets, 1 nontargets"


def run_min_dcf(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scoring" / "compute_min_dcf.py"), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compute_min_dcf_prints_what_kaldis_script_prints(root: Path, shared: Path) -> None:
    case = shared / "golden-utils" / "cases" / "min-dcf"
    expected = (case / "after" / "out").read_text().split()
    for p_target, value in zip(("0.01", "0.001", "0.05", "0.5"), expected, strict=True):
        files = [str(case / "before" / name) for name in ("scores", "trials")]
        done = run_min_dcf(root, "--p-target", p_target, *files)
        assert (done.returncode, done.stdout) == (0, f"{value}\n")
        assert f"minDCF is {value} at threshold" in done.stderr


def test_compute_min_dcf_fails_on_a_missing_trial(root: Path, tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("a b target\na c nontarget\n")
    (tmp_path / "scores").write_text("a b 2\n")
    done = run_min_dcf(root, str(tmp_path / "scores"), str(tmp_path / "trials"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "1 of 2 trials have no score (first: `a c`)" in done.stderr
