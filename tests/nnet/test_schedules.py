"""Learning-rate schedules values by hand, ends, continuity, refusals."""

from __future__ import annotations

import math

import pytest

from common.options import OptionError
from nnet.training.schedules import SCHEDULES, Constant, Cosine, Exponential, Noam, OneCycle, Stepwise

NOAM_D64_W8000 = {
    1: 1.74693e-7,
    100: 1.74693e-5,
    1000: 1.74693e-4,
    4000: 6.98771e-4,
    8000: 1.397542e-3,
    16000: 9.88212e-4,
    100000: 3.95285e-4,
}


@pytest.mark.parametrize(("step", "expected"), NOAM_D64_W8000.items())
def test_noam_gives_the_golden_rates(step: int, expected: float) -> None:
    # the golden values carry six digits
    assert Noam(d_model=64, warmup_steps=8000).lr(step, 100000) == pytest.approx(expected, rel=5e-6)


def test_noam_factor_multiplies_the_rate() -> None:
    assert Noam(factor=3.0).lr(17, 100) == pytest.approx(3 * Noam().lr(17, 100))


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_each_schedule_is_positive_until_the_last_step_and_never_above_its_peak(name: str) -> None:
    schedule = SCHEDULES[name]()
    rates = [schedule.lr(step, 50) for step in range(1, 51)]
    peak = getattr(schedule, "peak_lr", NOAM_D64_W8000[8000])
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates[:-1])
    assert 0 <= rates[-1] <= peak  # a cosine may end at nothing


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_each_schedule_works_for_a_run_of_one_step(name: str) -> None:
    assert math.isfinite(SCHEDULES[name]().lr(1, 1))


def test_constant_is_constant() -> None:
    assert {Constant(0.5).lr(step, 9) for step in range(1, 10)} == {0.5}


def test_one_cycle_starts_peaks_and_ends_where_it_says() -> None:
    schedule = OneCycle(peak_lr=1.0, warmup_share=0.3, start_div=10.0, end_div=100.0)
    assert schedule.lr(1, 100) == pytest.approx(0.1)
    assert schedule.lr(30, 100) == pytest.approx(1.0)
    assert schedule.lr(100, 100) == pytest.approx(0.01)
    # half way down the cosine is the mean of its ends
    assert schedule.lr(65, 100) == pytest.approx((1 + 0.01) / 2)


def test_cosine_warms_up_linearly_and_ends_at_its_final_rate() -> None:
    schedule = Cosine(peak_lr=2.0, warmup_steps=4, final_lr=0.5)
    assert [schedule.lr(step, 12) for step in (1, 2, 4)] == pytest.approx([0.5, 1.0, 2.0])
    assert schedule.lr(8, 12) == pytest.approx(1.25)
    assert schedule.lr(12, 12) == pytest.approx(0.5)


def test_step_falls_after_each_interval() -> None:
    schedule = Stepwise(peak_lr=1.0, every=3, gamma=0.5)
    assert [schedule.lr(step, 9) for step in range(1, 8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_exponential_falls_by_a_constant_factor() -> None:
    schedule = Exponential(peak_lr=1.0, final_lr=1e-4)
    assert [schedule.lr(step, 5) for step in range(1, 6)] == pytest.approx([1, 1e-1, 1e-2, 1e-3, 1e-4])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Constant(0.0), "peak_lr"),
        (lambda: Noam(warmup_steps=0), "warmup_steps"),
        (lambda: OneCycle(warmup_share=1.0), "warmup_share"),
        (lambda: Cosine(final_lr=1.0), "final_lr"),
        (lambda: Stepwise(gamma=2.0), "gamma"),
        (lambda: Exponential(final_lr=0.0), "final_lr"),
    ],
)
def test_an_impossible_option_is_refused_by_name(make, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=named):
        make()
