"""Schedules that look at held-out error rates, and the published ones: closed forms, golden rates, slow counts."""

from __future__ import annotations

import numpy as np
import pytest

from common.options import OptionError
from nnet.training.schedules import SCHEDULES, LinearOneCycle, ModifiedNoam, Noam, Plateau, stale_steps

# Rates of the published ConvGRU's schedule, counted from 0 over 1000 updates.
LINEAR_ONE_CYCLE = {0: 1e-6, 75: 2.55e-5, 150: 5e-5, 575: 2.515e-5, 1000: 3e-7}


@pytest.mark.parametrize(("place", "expected"), LINEAR_ONE_CYCLE.items())
def test_linear_one_cycle_gives_the_golden_rates(place: int, expected: float) -> None:
    # a few float64 roundings
    assert LinearOneCycle().lr(place + 1, 1000) == pytest.approx(expected, rel=1e-12)


def test_linear_one_cycle_without_warm_up_begins_at_its_peak() -> None:
    schedule = LinearOneCycle(start_lr=0.1, peak_lr=1.0, end_lr=0.5, warmup_share=0.0)
    assert [schedule.lr(step, 5) for step in (1, 3, 5)] == pytest.approx([1.0, 0.8, 0.6])


@pytest.mark.parametrize(("step", "expected"), [(1, 2.0e-3), (4000, 1.414e-3), (100000, 3.92e-4)])
def test_modified_noam_gives_the_golden_rates(step: int, expected: float) -> None:
    # the golden values carry three or four digits
    assert ModifiedNoam(peak_lr=2e-3, base_steps=4000).lr(step, 100000) == pytest.approx(expected, rel=1e-3)


def slow_stale(eers: dict[int, float], step: int, patience: int) -> list[int]:
    """Ask at each validation how many of those since the last restart were no lower than all before them."""
    stale: list[int] = []
    seen = [(at, eer) for at, eer in eers.items() if at < step]
    for end in range(len(seen)):
        since = [at for at, _ in seen[: end + 1] if not stale or at > stale[-1]]
        lowered = [at for n, (at, eer) in enumerate(seen[: end + 1]) if all(eer < old for _, old in seen[:n])]
        waiting = [at for at in since if not lowered or at > lowered[-1]]
        if len(waiting) >= patience:
            stale.append(seen[end][0])
    return stale


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_stale_validations_are_those_of_a_slow_count(patience: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        eers = {10 * n: float(rng.integers(1, 9)) / 16 for n in range(1, 20)}
        for step in (1, 55, 60, 61, 500):
            assert stale_steps(eers, step, patience) == slow_stale(eers, step, patience)


def test_plateau_halves_when_the_error_has_not_fallen_for_so_many_validations() -> None:
    schedule = Plateau(peak_lr=8.0, patience=2)
    #       first, equal, higher -> halve after 30; lower; two higher -> halve after 60
    eers = {10: 0.3, 20: 0.3, 30: 0.31, 40: 0.2, 50: 0.25, 60: 0.21}
    rates = {step: schedule.lr(step, 100, eers) for step in (1, 10, 30, 31, 40, 41, 60, 61, 100)}
    assert rates == {1: 8, 10: 8, 30: 8, 31: 4, 40: 4, 41: 4, 60: 4, 61: 2, 100: 2}


def test_plateau_begins_to_count_again_after_each_halving() -> None:
    schedule = Plateau(peak_lr=8.0, patience=2, final_lr=1.5)
    eers = {1: 0.1} | dict.fromkeys(range(2, 10), 0.2)
    assert [schedule.lr(step, 10, eers) for step in range(1, 11)] == [8, 8, 8, 4, 4, 2, 2, 1.5, 1.5, 1.5]


def test_plateau_warms_up_linearly() -> None:
    assert [Plateau(1.0, warmup_steps=4).lr(step, 9) for step in range(1, 6)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_noams_clock_doubles_after_so_many_stale_validations() -> None:
    noam = Noam(warmup_steps=5, speed_up_after=3)
    eers = dict.fromkeys(range(10, 200, 10), 0.2)  # the first is the lowest: stale at 40, 70, 100 …
    clock, delta = 1, 1
    for step in range(1, 200):
        assert noam.clock(step, eers) == clock
        assert noam.lr(step, 200, eers) == Noam(warmup_steps=5).lr(clock, 200)
        clock += delta  # after update `step`, at the speed that was in force
        if step in (40, 70, 100, 130, 160, 190):
            delta *= 2


def test_noam_without_the_option_looks_at_no_error_rate() -> None:
    eers = dict.fromkeys(range(1, 100), 0.5)
    assert Noam().lr(99, 200, eers) == Noam().lr(99, 200) and not Noam().needs_eers
    assert Noam(speed_up_after=3).needs_eers


def test_a_clock_that_doubles_without_end_gives_a_rate() -> None:
    eers = dict.fromkeys(range(1, 3000), 0.5)
    assert 0 < Noam(speed_up_after=1).lr(3000, 3000, eers) < 1e-100


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_later_error_rates_change_no_earlier_rate(name: str) -> None:
    options = {"speed_up_after": 1} if name == "noam" else {}
    schedule = SCHEDULES[name](**options)
    eers = dict.fromkeys(range(5, 100, 5), 0.5)
    for step in (1, 5, 6, 50):
        before = {at: eer for at, eer in eers.items() if at < step}
        assert schedule.lr(step, 100, eers) == schedule.lr(step, 100, before)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Plateau(patience=0), "patience"),
        (lambda: Plateau(gamma=1.0), "gamma"),
        (lambda: Plateau(final_lr=1.0), "final_lr"),
        (lambda: Noam(speed_up_after=0), "speed_up_after"),
        (lambda: ModifiedNoam(base_steps=0), "base_steps"),
        (lambda: LinearOneCycle(start_lr=1.0), "start_lr"),
        (lambda: LinearOneCycle(end_lr=0.0), "end_lr"),
        (lambda: LinearOneCycle(warmup_share=1.0), "warmup_share"),
    ],
)
def test_an_impossible_option_is_refused_by_name(make, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=named):
        make()
