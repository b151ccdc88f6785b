"""EER of parts of the trials: by duration, by gender, by speaker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.metrics import eer
from scoring.pages.breakdown import duration_groups, gender_groups, group_eer, speaker_eers, worst_speakers
from scoring.pages.set_facts import SetFacts, read_set_facts

UTTS = {"a1": ("a", 1.0), "a2": ("a", 2.0), "b1": ("b", 3.0), "b2": ("b", 4.0), "c1": ("c", 5.0), "c2": ("c", 6.0)}
PAIRS = ["a1 a2", "b1 b2", "c1 c2", "a1 b1", "a2 c1", "b2 c2"]
SCORES = np.array([3.0, 0.0, 2.0, 1.0, -1.0, -2.0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "utt2spk").write_text("".join(f"{utt_id} {spk}\n" for utt_id, (spk, _) in UTTS.items()))
    (tmp_path / "utt2dur").write_text("".join(f"{utt_id} {seconds}\n" for utt_id, (_, seconds) in UTTS.items()))
    (tmp_path / "spk2gender").write_text("a f\nb m\nc f\n")
    lines = [f"{pair} {'target' if pair[0] == pair[3] else 'nontarget'}\n" for pair in PAIRS]
    (tmp_path / "trials").write_text("".join(lines))
    return tmp_path


def facts_of(data: Path) -> SetFacts:
    return read_set_facts("test", data)


def test_a_trial_is_as_long_as_its_shorter_side(data: Path) -> None:
    seconds = facts_of(data).shorter_side()
    assert seconds is not None and seconds.tolist() == [1.0, 3.0, 5.0, 1.0, 2.0, 4.0]


def test_a_model_is_as_long_as_all_its_utterances(data: Path) -> None:
    (data / "enroll2utt").write_text("model a1 a2\n")
    (data / "trials").write_text("model b1 nontarget\nmodel a2 target\n")
    seconds = facts_of(data).shorter_side()
    assert seconds is not None and seconds.tolist() == [3.0, 2.0]


def test_groups_by_duration_hold_each_trial_once_in_quarters(data: Path) -> None:
    groups = duration_groups(facts_of(data))
    assert np.sum([group.mask for group in groups], axis=0).tolist() == [1] * 6
    # Seconds 1 1 2 3 4 5: quartiles 1.25, 2.5, 3.75.
    assert [group.label for group in groups] == ["1.0–1.2 s", "1.2–2.5 s", "2.5–3.8 s", "3.8–5.0 s"]
    assert [int(group.mask.sum()) for group in groups] == [2, 1, 1, 2]
    assert (groups[0].targets, groups[0].nontargets) == (1, 1)


def test_equal_durations_are_one_group_and_unknown_ones_none(data: Path) -> None:
    (data / "utt2dur").write_text("".join(f"{utt_id} 2\n" for utt_id in UTTS))
    assert [group.label for group in duration_groups(facts_of(data))] == ["2.0 s"]
    (data / "utt2dur").write_text("a1 2\n")
    assert duration_groups(facts_of(data)) == []
    (data / "utt2dur").unlink()
    assert duration_groups(facts_of(data)) == []


def test_groups_by_gender(data: Path) -> None:
    groups = {group.label: group.mask.tolist() for group in gender_groups(facts_of(data))}
    assert groups == {
        "male": [False, True, False, False, False, False],
        "female": [True, False, True, False, True, False],
        "same gender": [True, True, True, False, True, False],
        "different genders": [True, True, True, True, False, True],
    }
    (data / "spk2gender").unlink()
    assert gender_groups(facts_of(data)) == []


def test_eer_of_each_speaker_by_hand(data: Path) -> None:
    """a: target 3 over nontargets 1, -1; b: target 0 between 1 and -2; c: target 2 over -1, -2."""
    assert speaker_eers(SCORES, facts_of(data)) == {"a": 0.0, "b": pytest.approx(0.5), "c": 0.0}


def test_worst_speakers_are_those_with_the_highest_mean() -> None:
    assert worst_speakers([{"a": 0.1, "b": 0.3}, {"a": 0.5, "c": 0.3}], 2) == ["a", "b"]


def test_a_group_with_few_targets_has_no_eer_and_a_large_one_that_of_its_trials(tmp_path: Path) -> None:
    utts = [f"s{speaker}u{number}" for speaker in range(4) for number in range(6)]
    pairs = [(a, b) for place, a in enumerate(utts) for b in utts[place + 1 :]]
    (tmp_path / "utt2spk").write_text("".join(f"{utt_id} {utt_id[:2]}\n" for utt_id in utts))
    labels = ["target" if a[:2] == b[:2] else "nontarget" for a, b in pairs]
    (tmp_path / "trials").write_text("".join(f"{a} {b} {n}\n" for (a, b), n in zip(pairs, labels, strict=True)))
    (tmp_path / "utt2dur").write_text("".join(f"{utt_id} {1 + int(utt_id[-1])}\n" for utt_id in utts))
    facts = facts_of(tmp_path)
    is_target = facts.trials.is_target
    scores = np.random.default_rng(0).normal(size=len(pairs)) + is_target
    figures = [(group, group_eer(scores, facts, group, 50, 1)) for group in duration_groups(facts)]
    assert any(figure is None for group, figure in figures) == any(group.targets < 10 for group, _ in figures)
    known = [(group, figure) for group, figure in figures if figure is not None]
    assert known
    for group, figure in known:
        assert figure.value == pytest.approx(eer(scores[group.mask], is_target[group.mask]))
        assert figure.low <= figure.value <= figure.high
