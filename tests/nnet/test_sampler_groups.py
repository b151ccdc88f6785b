"""Groups and triplets: distinct speakers and utterances, equal shares, functions of the step, too small corpora."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError
from common.options import ConfigError
from nnet.config.experiment import load
from nnet.data.groups import Rounds, SpeakerIndex
from nnet.data.lists import StringTable, UtteranceList
from nnet.data.sampler import Balance, BatchPlanner
from nnet.losses.metric import check_triplets, group_size
from nnet.train import main
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.tiny_corpus import TinyCorpus


def utterances(counts: list[int]) -> UtteranceList:
    """Speaker n has counts[n] of them; they are in no order."""
    speakers = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    speakers = np.random.default_rng(0).permutation(speakers)
    names = StringTable(str(n) for n in range(len(speakers)))
    return UtteranceList(names, names, np.full(len(speakers), 500, np.int32), speakers)


def planner(counts: list[int], batch_size: int, balance: Balance, size: int = 2, seed: int = 1) -> BatchPlanner:
    return BatchPlanner(utterances(counts), (200, 400), batch_size, balance, seed, size)


@pytest.mark.parametrize(
    ("counts", "num_groups", "size"),
    [([5, 4, 9, 4, 7], 2, 4), ([3] * 7, 7, 3), ([30, 2, 8, 2, 2, 3], 4, 2), ([6] * 23, 9, 5), ([2] * 4, 3, 2)],
)
def test_a_batch_of_groups_has_distinct_speakers_and_distinct_utterances(
    counts: list[int], num_groups: int, size: int
) -> None:
    plan = planner(counts, num_groups * size, "groups", size)
    speakers = utterances(counts).speakers
    for step in range(1, 120):
        utts = plan.plan(step).utts.reshape(num_groups, size)
        assert len(set(utts.ravel().tolist())) == num_groups * size
        assert (speakers[utts] == speakers[utts[:, :1]]).all()
        assert len(set(speakers[utts[:, 0]].tolist())) == num_groups


@pytest.mark.parametrize(("num_speakers", "num_groups"), [(5, 2), (7, 7), (6, 4), (23, 9), (4, 3), (12, 4), (9, 8)])
def test_all_speakers_come_equally_often_round_by_round(num_speakers: int, num_groups: int) -> None:
    plan = planner([4] * num_speakers, 2 * num_groups, "groups")
    speakers = utterances([4] * num_speakers).speakers
    visits = np.concatenate([speakers[plan.plan(step).utts[::2]] for step in range(1, 3 * num_speakers + 1)])
    rounds = visits.reshape(-1, num_speakers)
    assert len(rounds) == 3 * num_groups
    assert all(sorted(each) == list(range(num_speakers)) for each in rounds.tolist())


def test_ever_other_speakers_meet_in_a_batch() -> None:
    plan = planner([4] * 12, 8, "groups")
    speakers = utterances([4] * 12).speakers
    batches = {frozenset(speakers[plan.plan(step).utts].tolist()) for step in range(1, 61)}
    # 60 draws of the 495 fours: 56.5 different ones are expected, with a standard deviation of 1.8.
    assert len(batches) > 48


def test_each_utterance_and_each_pair_of_a_speaker_comes_equally_often() -> None:
    index = SpeakerIndex(np.zeros(5, np.int32))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([index.draw(np.zeros(50, np.int64), 2, rng) for _ in range(100)])
    pairs = np.bincount(drawn[:, 0] * 5 + drawn[:, 1], minlength=25).reshape(5, 5)
    assert (pairs.diagonal() == 0).all()
    # 5000 draws of 20 ordered pairs: 250 of each, standard deviation 15.4; the farthest of 20 lies within 5 of them.
    assert (np.abs(pairs[~np.eye(5, dtype=bool)] - 250) < 77).all()


def test_all_utterances_of_a_speaker_are_drawn_where_the_group_needs_all() -> None:
    plan = planner([3, 3], 6, "groups", 3)
    assert all(sorted(plan.plan(step).utts.tolist()) == list(range(6)) for step in range(1, 20))


@pytest.mark.parametrize("balance", ["groups", "triplets"])
@pytest.mark.parametrize("num_speakers", [3, 5, 17])
def test_a_resumed_plan_goes_on_as_the_uninterrupted_one(balance: Balance, num_speakers: int) -> None:
    whole = planner([3] * num_speakers, 6, balance)
    in_order = [whole.plan(step) for step in range(1, 120)]
    for first in (1, 2, 40, 77, 113):
        resumed = planner([3] * num_speakers, 6, balance)
        for step in range(first, 120):
            plan = resumed.plan(step)
            assert plan.utts.tolist() == in_order[step - 1].utts.tolist()
            assert plan.starts.tolist() == in_order[step - 1].starts.tolist()
    backwards = planner([3] * num_speakers, 6, balance)
    assert all(backwards.plan(s).utts.tolist() == in_order[s - 1].utts.tolist() for s in range(119, 0, -1))


def test_an_order_begins_with_those_who_are_not_yet_in_the_batch() -> None:
    for size in range(1, 12):
        rounds = Rounds(np.arange(100, 111), size, (1, 2))
        batches = [rounds.batch(number) for number in range(60)]
        assert all(len(set(batch.tolist())) == size for batch in batches)
        visits = np.concatenate(batches)[: 60 * size // 11 * 11].reshape(-1, 11)
        assert all(sorted(each) == list(range(100, 111)) for each in visits.tolist())


def test_speakers_with_too_few_utterances_are_left_out_and_counted() -> None:
    counts = [4, 3, 5, 1, 4, 2]
    plan = planner(counts, 8, "groups", 4)
    seen = {int(s) for step in range(1, 40) for s in utterances(counts).speakers[plan.plan(step).utts]}
    assert seen == {0, 2, 4}
    (note,) = plan.notes
    assert note == (
        "3 of 6 speakers have fewer than 4 utterances (data.utterances_per_speaker) and are left out (6 utterances)"
    )
    assert planner([4, 5], 8, "groups", 4).notes == ()


def test_utterances_shorter_than_every_chunk_are_counted() -> None:
    lengths = np.array([500] * 12 + [199] * 3, np.int32)
    plan = BatchPlanner(replace(utterances([4, 5, 6]), num_frames=lengths), (200, 400), 10, "groups", 1, 5)
    assert plan.notes == (
        "3 of 15 utterances have fewer frames than the shortest chunk, 200, and are repeated to fill chunks",
        "1 of 3 speakers have fewer than 5 utterances (data.utterances_per_speaker) and are left out (4 utterances)",
    )


def test_a_speaker_with_one_utterance_is_only_ever_a_negative() -> None:
    counts = [4, 1, 5, 1]
    plan = planner(counts, 9, "triplets")
    triplets = np.stack([utterances(counts).speakers[plan.plan(step).utts] for step in range(1, 60)]).reshape(-1, 3)
    assert set(triplets[:, 0].tolist()) == {0, 2}
    assert set(triplets[:, 2].tolist()) == {0, 1, 2, 3}
    (note,) = plan.notes
    assert note == "2 of 4 speakers have one utterance and are used only as negatives of triplets (2 utterances)"


@pytest.mark.parametrize(("counts", "num_triplets"), [([5, 2, 9, 3], 3), ([2, 2], 8), ([4] * 9, 9), ([3, 1, 7], 5)])
def test_triplets_are_anchor_positive_and_negative(counts: list[int], num_triplets: int) -> None:
    plan = planner(counts, 3 * num_triplets, "triplets")
    speakers = utterances(counts).speakers
    for step in range(1, 80):
        a, p, n = plan.plan(step).utts.reshape(num_triplets, 3).T
        assert (a != p).all()
        assert (speakers[a] == speakers[p]).all()
        assert (speakers[a] != speakers[n]).all()


@pytest.mark.parametrize(("num_speakers", "num_triplets"), [(4, 3), (4, 8), (9, 9), (5, 7)])
def test_all_speakers_are_anchors_equally_often_and_none_twice_where_they_suffice(
    num_speakers: int, num_triplets: int
) -> None:
    plan = planner([4] * num_speakers, 3 * num_triplets, "triplets")
    speakers = utterances([4] * num_speakers).speakers
    batches = [speakers[plan.plan(step).utts[::3]] for step in range(1, num_speakers + 1)]
    assert set(np.bincount(np.concatenate(batches)).tolist()) == {num_triplets}
    if num_triplets <= num_speakers:
        assert all(len(set(batch.tolist())) == num_triplets for batch in batches)


def test_each_other_speaker_is_a_negative_equally_often() -> None:
    plan = planner([4] * 5, 15, "triplets")
    speakers = utterances([4] * 5).speakers
    triplets = np.stack([speakers[plan.plan(step).utts].reshape(5, 3) for step in range(1, 1001)]).reshape(-1, 3)
    meetings = np.bincount(triplets[:, 0] * 5 + triplets[:, 2], minlength=25).reshape(5, 5)
    assert (meetings.diagonal() == 0).all()
    # 1000 negatives of each anchor over 4 others: 250 of each, standard deviation 13.7.
    assert (np.abs(meetings[~np.eye(5, dtype=bool)] - 250) < 69).all()


def test_plans_have_the_layouts_that_the_losses_ask_for() -> None:
    counts = [5, 4, 9, 4, 7]
    speakers = utterances(counts).speakers
    groups, triplets = planner(counts, 12, "groups", 4), planner(counts, 12, "triplets")
    for step in range(1, 30):
        labels = torch.from_numpy(speakers[groups.plan(step).utts].astype(np.int64))
        assert group_size(labels) == 4
        check_triplets(torch.from_numpy(speakers[triplets.plan(step).utts].astype(np.int64)))


@pytest.mark.parametrize(
    ("counts", "balance", "message"),
    [
        (
            [4, 4, 3], "groups",
            "data.balance groups: a batch of 12 chunks is of 3 speakers with 4 utterances each, but 2 of 3 training"
            " speakers have 4 or more; lower data.utterances_per_speaker, or data.batch_size to at most 8",
        ),
        (
            [3, 0, 3], "groups",
            "data.balance groups: a batch of 12 chunks is of 3 speakers with 4 utterances each, but 0 of 2 training"
            " speakers have 4 or more; lower data.utterances_per_speaker",
        ),
        (
            [1, 1, 1], "triplets",
            "data.balance triplets: needs two training speakers, one of them with two utterances or more; 0 of 3 have"
            " so many; take more data, or another data.balance and loss",
        ),
        (
            [5], "triplets",
            "data.balance triplets: needs two training speakers, one of them with two utterances or more; 1 of 1 have"
            " so many; take more data, or another data.balance and loss",
        ),
    ],
)  # fmt: skip
def test_a_corpus_that_is_too_small_is_refused_with_what_to_change(
    counts: list[int], balance: Balance, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        planner(counts, 12, balance, 4)
    assert str(caught.value) == message


@pytest.mark.parametrize("balance", ["groups", "triplets"])
def test_a_large_corpus_costs_no_time_per_step(balance: Balance) -> None:
    plan = planner([10] * 100_000, 384, balance, 6)
    plan.plan(1)
    begin = time.perf_counter()
    for step in range(2, 52):
        plan.plan(step)
    # a step takes about 0.4 ms; work over the million utterances would take 10 ms or more
    assert (time.perf_counter() - begin) / 50 < 0.005


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["data.balance=groups", "data.batch_size=10"],
            "data.batch_size is 10; expected a multiple of utterances_per_speaker, 4, for 2 speakers or more",
        ),
        (["data.balance=groups", "data.batch_size=4"], "data.batch_size is 4; expected a multiple of"),
        (["data.balance=triplets", "data.batch_size=64"], "data.batch_size is 64; expected a multiple of 3"),
        (["data.utterances_per_speaker=1"], "data.utterances_per_speaker is 1; expected >= 2"),
    ],
)
def test_batches_that_cannot_be_laid_out_are_refused(
    tiny_corpus: TinyCorpus, settings: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tiny_corpus.config, settings)
    assert message in str(caught.value)


def test_training_on_too_few_speakers_ends_with_the_message(tiny_corpus: TinyCorpus, tmp_path: Path) -> None:
    settings = ["loss={name: ge2e}", "data.balance=groups", "data.utterances_per_speaker=20", "data.batch_size=40"]
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", *settings))
    assert "0 of 6 training speakers have 20 or more; lower data.utterances_per_speaker" in message
