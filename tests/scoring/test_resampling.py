"""The figures of resamples that are found by blocks equal those of weighing every trial, to the last bit."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from scoring import resampling
from scoring.bootstrap import resampled_figures, summarize
from scoring.metrics import SortedTrials, eer_of_rates, min_dcf_of_rates
from scoring.resampling import ResampledTrials

P_TARGETS = (0.001, 0.01, 0.05, 0.5, 0.99)


def drawn_trials(seed: int, num_trials: int, num_speakers: int, decimals: int, share: float) -> tuple[np.ndarray, ...]:
    """Scores, labels and speakers; few decimals make ties."""
    rng = np.random.default_rng(seed)
    enroll = rng.integers(num_speakers, size=num_trials)
    is_target = rng.random(num_trials) < share
    is_target[:2] = True, False
    test = np.where(is_target, enroll, (enroll + rng.integers(1, num_speakers, size=num_trials)) % num_speakers)
    scores = rng.normal(size=num_trials) + rng.choice([0.0, 1.5, 4.0]) * is_target
    scores += rng.normal(size=num_speakers)[enroll]
    return np.round(scores, decimals), is_target, enroll, test


def weighed_one_by_one(
    scores: np.ndarray, is_target: np.ndarray, enroll: np.ndarray, test: np.ndarray, num_resamples: int, seed: int
) -> np.ndarray:
    """The slow version: a weight for each trial, and all operating points, of the same draws."""
    ordered, rng = SortedTrials(scores, is_target), np.random.default_rng(seed)
    speakers, numbers = np.unique(np.concatenate([enroll, test]), return_inverse=True)
    enroll, test = numbers[: len(scores)][ordered.order], numbers[len(scores) :][ordered.order]
    target = is_target[ordered.order]
    found = []
    while len(found) < num_resamples:
        drawn = np.bincount(rng.integers(len(speakers), size=len(speakers)), minlength=len(speakers)).astype(float)
        weights = np.where(target, drawn[enroll], drawn[enroll] * drawn[test])
        if weights[target].any() and weights[~target].any():
            rates = ordered.rates(weights)
            found.append([eer_of_rates(rates), *(min_dcf_of_rates(rates, p_target)[0] for p_target in P_TARGETS)])
    return np.array(found)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 3000),
    st.integers(2, 40),
    st.integers(0, 8),
    st.sampled_from([0.02, 0.5, 0.95]),
)
def test_figures_equal_weighing_every_trial(
    seed: int, num_trials: int, num_speakers: int, decimals: int, share: float
) -> None:
    trials = drawn_trials(seed, num_trials, num_speakers, decimals, share)
    try:
        found = resampled_figures(*trials, P_TARGETS, num_resamples=20, seed=seed % 1000)
    except InputError as error:
        assert "too few speakers" in str(error) or "fewer than two speakers" in str(error)
        return
    # Equal, not close: see scoring/resampling.py.
    assert (found.resampled == weighed_one_by_one(*trials, num_resamples=20, seed=seed % 1000)).all()


@pytest.mark.parametrize(("ranks", "blocks", "groups"), [(1, 1, 1), (2, 3, 5), (4000, 100_000, 256)])
def test_the_sizes_of_the_blocks_change_nothing(
    monkeypatch: pytest.MonkeyPatch, ranks: int, blocks: int, groups: int
) -> None:
    trials = drawn_trials(1, 2500, 25, 2, 0.3)
    expected = resampled_figures(*trials, P_TARGETS, num_resamples=30, seed=4).resampled
    monkeypatch.setattr(resampling, "RANKS_PER_E", ranks)
    monkeypatch.setattr(resampling, "MOST_BLOCKS_BY_COUNT", blocks)
    monkeypatch.setattr(resampling, "GROUPS_AT_ONCE", groups)
    assert (resampled_figures(*trials, P_TARGETS, num_resamples=30, seed=4).resampled == expected).all()


def test_sums_that_float32_cannot_hold_are_exact() -> None:
    # One block of equal scores whose weights sum up to more than 2^24: 300 trials, each of weight 400 · 300.
    enroll, test = np.repeat([0, 0], 150), np.repeat([1, 1], 150)
    is_target = np.zeros(300, dtype=bool)
    is_target[0], test[0] = True, 0
    scores = np.r_[1.0, np.zeros(298), 2.0]
    trials = ResampledTrials(SortedTrials(scores, is_target), enroll, test, 2, (0.5,))
    found = trials.figures(np.array([[400, 301]]))
    # Of 299 nontargets of equal weight, 1 is above the target: FPR 1/299 there, FNR 0; the next point has FNR 1.
    assert found[0].tolist() == pytest.approx([1 / 299, 1 / 299], rel=1e-9)


def test_a_resample_without_a_kind_of_trial_has_no_figures() -> None:
    enroll, test = np.array([0, 0, 1]), np.array([0, 1, 1])
    trials = ResampledTrials(SortedTrials(np.array([2.0, 0.0, 1.0]), enroll == test), enroll, test, 2, (0.5,))
    found = trials.figures(np.array([[2, 0], [1, 1]]))
    assert np.isnan(found[0]).all() and found[1].tolist() == [0.0, 0.0]


def test_the_speakers_numbers_need_not_be_consecutive() -> None:
    scores, is_target, enroll, test = drawn_trials(2, 500, 10, 3, 0.3)
    wide = np.arange(10) * 7 + 3
    found = summarize(scores, is_target, wide[enroll], wide[test], (0.1,), num_resamples=20)
    assert found == summarize(scores, is_target, enroll, test, (0.1,), num_resamples=20)


@pytest.mark.slow
def test_a_million_trials_take_seconds() -> None:
    trials = drawn_trials(3, 1_000_000, 1000, 7, 0.1)
    started = time.process_time()
    resampled_figures(*trials, num_resamples=1000)
    assert time.process_time() - started < 10.0  # 1.7 s of a core; weighing every trial took 122 s
