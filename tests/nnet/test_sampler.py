"""Batch plans: pure functions of seed and step, balance, chunk lengths, short utterances."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nnet.data.lists import StringTable, UtteranceList
from nnet.data.sampler import Balance, BatchPlan, BatchPlanner, repetitions

BALANCES: tuple[Balance, ...] = ("none", "speakers", "jl", "groups", "triplets")


def utterances(counts: list[int], frames: int = 500) -> UtteranceList:
    speakers = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    names = StringTable(str(n) for n in range(len(speakers)))
    return UtteranceList(names, names, np.full(len(speakers), frames, np.int32), speakers)


def planner(counts: list[int], batch_size: int = 6, balance: Balance = "speakers", seed: int = 1) -> BatchPlanner:
    return BatchPlanner(utterances(counts), (200, 400), batch_size, balance, seed, 2)


def same(a: BatchPlan, b: BatchPlan) -> bool:
    numbers = (a.step, a.chunk_frames) == (b.step, b.chunk_frames)
    return numbers and np.array_equal(a.utts, b.utts) and np.array_equal(a.starts, b.starts)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_plan_depends_on_seed_and_step_alone(balance: Balance) -> None:
    first = planner([5, 3, 9], balance=balance)
    in_order = {step: first.plan(step) for step in range(1, 30)}
    fresh = planner([5, 3, 9], balance=balance)
    assert all(same(fresh.plan(step), in_order[step]) for step in (29, 3, 17, 4, 1))
    other = planner([5, 3, 9], balance=balance, seed=2)
    assert not any(same(other.plan(step), in_order[step]) for step in in_order)


def test_speakers_come_once_each_before_any_comes_again() -> None:
    counts = [1, 50, 3, 7, 2, 20]
    chosen = utterances(counts).speakers
    plan = planner(counts, batch_size=4)
    visited = np.concatenate([chosen[plan.plan(step).utts] for step in range(1, 31)])
    assert len(visited) == 120
    assert all(sorted(each) == list(range(6)) for each in visited.reshape(-1, 6))


def test_speaker_balance_goes_through_all_utterances_of_a_speaker() -> None:
    plan = planner([4, 3], batch_size=2)
    utts = np.concatenate([plan.plan(step).utts for step in range(1, 13)])
    assert np.bincount(utts).tolist() == [3, 3, 3, 3, 4, 4, 4]


def test_without_balance_a_pass_visits_each_utterance_once() -> None:
    plan = planner([3, 9], batch_size=5, balance="none")
    utts = np.concatenate([plan.plan(step).utts for step in range(1, 13)])  # 60 = 5 passes of 12
    assert all(sorted(each) == list(range(12)) for each in utts.reshape(5, 12))
    assert not np.array_equal(utts[:12], utts[12:24])


def test_seed_balance_repeats_rare_speakers_as_the_seed_recipe_does() -> None:
    counts = np.array([400, 200, 150, 100, 60, 10])
    assert (counts * repetitions(counts)).tolist() == [400, 200, 150, 200, 180, 200]
    plan = planner(counts.tolist(), batch_size=133, balance="jl")
    visited = np.concatenate([utterances(counts.tolist()).speakers[plan.plan(n).utts] for n in range(1, 11)])
    assert np.bincount(visited).tolist() == [400, 200, 150, 200, 180, 200]


def test_the_chunk_length_varies_between_batches_over_the_whole_range() -> None:
    plan = planner([5, 5])
    lengths = [plan.plan(step).chunk_frames for step in range(1, 2001)]
    # 2000 draws of 201 values: a value stays away with probability 5e-5, so all but one or two come
    assert min(lengths) == 200 and max(lengths) == 400 and len(set(lengths)) >= 198
    # the mean of U{200..400} is 300, its standard error 58 / sqrt(2000) = 1.3
    assert abs(np.mean(lengths) - 300) < 6


def test_chunks_lie_inside_their_utterance_and_reach_both_ends() -> None:
    plan = BatchPlanner(utterances([3], frames=12), (10, 10), 100, "none", 1)
    assert set(plan.plan(1).starts.tolist()) == {0, 1, 2}


def test_a_short_utterance_may_start_anywhere() -> None:
    plan = BatchPlanner(utterances([3], frames=3), (10, 10), 100, "none", 1)
    assert set(plan.plan(1).starts.tolist()) == {0, 1, 2}


def test_a_batch_larger_than_the_corpus_goes_round() -> None:
    plan = planner([1, 1], batch_size=7)
    assert np.bincount(plan.plan(1).utts, minlength=2).tolist() in ([3, 4], [4, 3])


def test_a_million_utterances_cost_no_time_per_step() -> None:
    counts = [170] * 7000
    for balance in BALANCES:
        plan = planner(counts, batch_size=126, balance=balance)
        plan.plan(1)
        begin = time.process_time()
        for step in range(2, 52):
            plan.plan(step)
        # a step takes about 0.1 ms; work over the corpus would take 10 ms or more
        assert (time.process_time() - begin) / 50 < 0.005
