"""Claims about intervals by resampling speakers."""

from __future__ import annotations

import time

import numpy as np
import pytest

from common.errors import InputError
from scoring.bootstrap import summarize, trial_speakers
from scoring.metrics import eer, min_dcf
from scoring.pairs import PairList
from scoring.trials import Trials
from tests.scoring.helpers.drawn_trials import speaker_trials


def test_the_figures_are_those_of_all_trials() -> None:
    scores, is_target, enroll, test = speaker_trials(10, 4, seed=0)
    summary = summarize(scores, is_target, enroll, test, (0.05,), num_resamples=20)
    assert summary.eer.value == eer(scores, is_target)
    assert summary.min_dcf[0.05].value == min_dcf(scores, is_target, 0.05)


def test_resampled_figures_equal_repeated_trials() -> None:
    """The independent slow version: every resample written out trial by trial."""
    scores, is_target, enroll, test = speaker_trials(6, 4, seed=1)
    rng = np.random.default_rng(7)
    figures = []
    for _ in range(50):
        drawn = np.bincount(rng.integers(6, size=6), minlength=6)
        repeats = np.where(is_target, drawn[enroll], drawn[enroll] * drawn[test])
        figures.append(eer(np.repeat(scores, repeats), np.repeat(is_target, repeats)))
    summary = summarize(scores, is_target, enroll, test, (0.05,), num_resamples=50, seed=7)
    expected = np.percentile(figures, [2.5, 97.5])
    # Cumulative sums in another order of summation.
    np.testing.assert_allclose([summary.eer.low, summary.eer.high], expected, atol=1e-12)


def test_the_seed_decides_the_interval() -> None:
    trials = speaker_trials(10, 4, seed=2)
    assert summarize(*trials, num_resamples=50, seed=1) == summarize(*trials, num_resamples=50, seed=1)
    assert summarize(*trials, num_resamples=50, seed=1) != summarize(*trials, num_resamples=50, seed=2)


def test_the_interval_holds_the_value_and_is_wider_where_speakers_differ() -> None:
    alike = summarize(*speaker_trials(20, 6, seed=3), num_resamples=300).eer
    unlike = summarize(*speaker_trials(20, 6, seed=3, spread=0.7), num_resamples=300).eer
    for interval in (alike, unlike):
        assert interval.low <= interval.value <= interval.high
    assert unlike.high - unlike.low > alike.high - alike.low


@pytest.mark.slow
def test_nine_in_ten_intervals_cover_the_true_rate() -> None:
    truth = eer(*speaker_trials(400, 6, seed=99, spread=0.5)[:2])
    covered = 0
    for seed in range(100):
        interval = summarize(*speaker_trials(30, 6, seed=seed, spread=0.5), (0.05,), num_resamples=200).eer
        covered += interval.low <= truth <= interval.high
    # Nominally 95 of 100; percentile intervals from 30 speakers run short, and the count has a deviation of 2 to 3.
    assert covered >= 86


def test_37720_trials_take_seconds() -> None:
    rng = np.random.default_rng(0)
    is_target = np.arange(37720) < 18860
    enroll = rng.integers(40, size=37720)
    test = np.where(is_target, enroll, (enroll + rng.integers(1, 40, size=37720)) % 40)
    started = time.perf_counter()
    summarize(rng.normal(size=37720) + is_target, is_target, enroll, test, num_resamples=100)
    assert time.perf_counter() - started < 2.0  # 0.07 s on an idle core; 1,000 resamples then stay below 20 s


def test_speakers_are_numbered_by_utterance_or_by_their_own_name() -> None:
    trials = Trials(PairList.of([("s1", "u2"), ("u1", "u3")]), np.array([True, False]))
    enroll, test = trial_speakers(trials, {"u1": "s1", "u2": "s1", "u3": "s2"})
    assert (enroll.tolist(), test.tolist()) == ([0, 0], [0, 1])


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(InputError, match="trial id 'u9' is neither an utterance nor a speaker"):
        trial_speakers(Trials(PairList.of([("u1", "u9")]), np.array([True])), {"u1": "s1"})


def test_labels_that_contradict_the_speakers_are_refused() -> None:
    trials = Trials(PairList.of([("u1", "u2")]), np.array([True]))
    with pytest.raises(InputError, match=r"contradicts the label of 1 trials \(first: `u1 u2 target`\)"):
        trial_speakers(trials, {"u1": "s1", "u2": "s2"})


def test_two_speakers_still_give_an_interval_and_one_does_not() -> None:
    # A draw of the same speaker twice has no nontargets and is drawn again.
    scores, is_target, enroll, test = speaker_trials(2, 4, seed=5)
    assert np.isfinite(summarize(scores, is_target, enroll, test, num_resamples=20).eer.high)
    with pytest.raises(InputError, match="fewer than two speakers"):
        summarize(np.array([0.0, 1.0]), np.array([True, False]), np.zeros(2, int), np.zeros(2, int), num_resamples=2)


def test_no_trials_and_speakers_without_a_number_are_refused() -> None:
    nothing = np.zeros(0)
    with pytest.raises(InputError, match="there are no target trials"):
        summarize(nothing, nothing.astype(bool), nothing.astype(int), nothing.astype(int))
    scores, is_target, enroll, test = speaker_trials(3, 2, seed=0)
    with pytest.raises(InputError, match="a speaker has a negative number"):
        summarize(scores, is_target, enroll - 1, test)
