"""Claims about the difference of two systems on the same trials."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import InputError
from scoring.metrics import eer, min_dcf
from scoring.significance import compare, p_value_of
from tests.scoring.helpers.drawn_trials import speaker_trials


def test_p_value_by_hand() -> None:
    # Nine resamples, two of them at or below 0: 2 · (2 + 1) / (9 + 1).
    assert p_value_of(np.array([-1.0, 0.0, 1, 2, 3, 4, 5, 6, 7])) == pytest.approx(0.6)
    assert p_value_of(-np.arange(1.0, 20.0)) == pytest.approx(0.1)  # none at or above 0 of 19: 2 / 20
    assert p_value_of(np.zeros(5)) == 1.0


def test_a_system_does_not_differ_from_itself_and_the_matrix_is_antisymmetric() -> None:
    scores, *trials = speaker_trials(10, 4, seed=0)
    other = scores + np.random.default_rng(1).normal(size=len(scores))
    found = compare([scores, other], *trials, num_resamples=99, seed=3, p_targets=(0.05,))
    for matrix in (found.eer, found.min_dcf[0.05]):
        for place in (0, 1):
            same = matrix[place][place]
            assert (same.value, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
        there, back = matrix[0][1], matrix[1][0]
        assert (there.value, there.low, there.high, there.p_value) == pytest.approx(
            (-back.value, -back.high, -back.low, back.p_value), abs=1e-15
        )


def test_values_are_the_differences_of_the_figures() -> None:
    scores, is_target, enroll, test = speaker_trials(8, 4, seed=4)
    other = np.random.default_rng(5).normal(size=len(scores)) + is_target
    found = compare([scores, other], is_target, enroll, test, num_resamples=5, p_targets=(0.1,))
    assert found.eer[0][1].value == eer(scores, is_target) - eer(other, is_target)
    assert found.min_dcf[0.1][0][1].value == min_dcf(scores, is_target, 0.1) - min_dcf(other, is_target, 0.1)


def test_differences_equal_repeated_trials_on_the_same_draws() -> None:
    """The independent slow version: every resample written out trial by trial, for both systems."""
    scores, is_target, enroll, test = speaker_trials(6, 4, seed=1)
    other = scores + 0.5 * np.random.default_rng(2).normal(size=len(scores))
    rng, differences = np.random.default_rng(7), []
    for _ in range(40):
        drawn = np.bincount(rng.integers(6, size=6), minlength=6)
        repeats = np.where(is_target, drawn[enroll], drawn[enroll] * drawn[test])
        labels = np.repeat(is_target, repeats)
        differences.append(eer(np.repeat(scores, repeats), labels) - eer(np.repeat(other, repeats), labels))
    found = compare([scores, other], is_target, enroll, test, num_resamples=40, seed=7).eer[0][1]
    # Sums of the same terms in another order.
    np.testing.assert_allclose([found.low, found.high], np.percentile(differences, [2.5, 97.5]), atol=1e-12)


def test_a_clear_difference_is_significant_and_a_random_one_is_not() -> None:
    scores, is_target, enroll, test = speaker_trials(20, 6, seed=3, spread=0.5)
    noise = np.random.default_rng(6).normal(size=(3, len(scores)))
    worse = scores + 2.0 * noise[0]
    alike = [scores + 0.05 * noise[1], scores + 0.05 * noise[2]]
    found = compare([scores, worse, *alike], is_target, enroll, test, num_resamples=199)
    clear, random = found.eer[0][1], found.eer[2][3]
    assert clear.value < 0 and clear.high < 0 and clear.p_value == pytest.approx(0.01)  # the least of 199 resamples
    assert random.low < 0 < random.high and random.p_value > 0.05


@pytest.mark.parametrize(("systems", "num_resamples"), [(0, 10), (1, 0)])
def test_nothing_to_compare_is_refused(systems: int, num_resamples: int) -> None:
    scores, *trials = speaker_trials(3, 2, seed=0)
    with pytest.raises(InputError, match="expected at least one of each to compare"):
        compare([scores] * systems, *trials, num_resamples=num_resamples)
