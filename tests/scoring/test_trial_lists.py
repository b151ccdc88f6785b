"""Claims about trial lists and score files."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from scoring.pairs import PairList
from scoring.trials import ScoredPairs, Trials, align, read_scores, read_trials, write_scores, write_trials


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_both_forms_of_a_trial_list_read_alike(tmp_path: Path) -> None:
    kaldi = read_trials(write(tmp_path / "kaldi", "a b target\na c nontarget\n"))
    voxceleb = read_trials(write(tmp_path / "voxceleb", "1 a b\n0 a c\n"))
    assert kaldi.pairs == voxceleb.pairs == [("a", "b"), ("a", "c")]
    assert kaldi.is_target.tolist() == voxceleb.is_target.tolist() == [True, False]


def test_an_utterance_called_1_does_not_make_a_list_of_the_voxceleb_form(tmp_path: Path) -> None:
    assert read_trials(write(tmp_path / "trials", "1 0 target\n")).pairs == [("1", "0")]


def test_written_trials_are_read_back(tmp_path: Path) -> None:
    trials = Trials(PairList.of([("a", "b"), ("b", "a")]), np.array([True, False]))
    write_trials(tmp_path / "trials", trials)
    again = read_trials(tmp_path / "trials")
    assert again.pairs == trials.pairs
    assert again.is_target.tolist() == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["trials"]  # no partial file is left


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a b target\na c Target\n", ":2: found label 'Target' in the third field, expected `enroll test target|"),
        ("1 a b\n2 a c\n", ":2: found label '2' in the first field, expected `1|0 enroll test` as on the first line"),
        ("a b target\n1 a c\n", ":2: found label 'c' in the third field"),
        ("a b target\na b\n", ":2: found 2 fields in 'a b', expected"),
        ("a b target\n\na b nontarget\n", ":3: trial `a b` is already on line 1"),
        ("\n", ": no trials"),
    ],
)
def test_a_bad_trial_list_is_refused_by_file_and_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path / "trials", text)
    with pytest.raises(InputError, match="trials") as raised:
        read_trials(path)
    assert f"{path}{complaint}" in str(raised.value)


def test_windows_line_ends_are_accepted_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "trials", "a b target\r\na c nontarget\r\n")
    with caplog.at_level(logging.WARNING):
        assert read_trials(path).pairs == [("a", "b"), ("a", "c")]
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{path}: line ends are CRLF; read as if they were LF"]


def test_scores_are_aligned_with_trials_whatever_their_order(tmp_path: Path) -> None:
    trials = Trials(PairList.of([("a", "b"), ("a", "c")]), np.array([True, False]))
    path = write(tmp_path / "scores", "a c -1.5\na b 2\n")
    assert align(read_scores(path), trials).tolist() == [2.0, -1.5]


def test_written_scores_are_read_back_with_seven_digits(tmp_path: Path) -> None:
    trials = Trials(PairList.of([("a", "b")]), np.array([True]))
    write_scores(tmp_path / "scores", trials, np.array([-22.19454991]))
    assert (tmp_path / "scores").read_text() == "a b -22.19455\n"


def test_missing_scores_are_an_error_with_their_count_and_the_first() -> None:
    trials = Trials(PairList.of([("a", "b"), ("a", "c"), ("b", "c")]), np.array([True, False, False]))
    with pytest.raises(InputError, match=r"exp/scores: 2 of 3 trials have no score \(first: `a c`\)"):
        align(ScoredPairs(PairList.of([("a", "b")]), np.ones(1)), trials, "exp/scores")


def test_scores_of_no_trial_are_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    trials = Trials(PairList.of([("a", "b")]), np.array([True]))
    scored = ScoredPairs(PairList.of([("x", "y"), ("a", "b")]), np.array([2.0, 1.0]))
    assert align(scored, trials).tolist() == [1.0]
    assert "1 scores belong to no trial" in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a b 1\na c nan\n", ":2: score 'nan' of trial `a c` is not a number"),
        ("a b high\n", ":1: score 'high'"),
        ("a b 1\na b 1\n", ":2: trial `a b` is already on line 1"),
        ("a b 1 target\n", ":1: found 4 fields"),
        ("", ": no scores"),
    ],
)
def test_a_bad_score_file_is_refused_by_file_and_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path / "scores", text)
    with pytest.raises(InputError, match="scores") as raised:
        read_scores(path)
    assert f"{path}{complaint}" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "num_trials"), [("voxceleb1_veri_test.txt", 37720), ("voxceleb1_veri_test_fixed.txt", 37611)]
)
def test_every_trial_of_the_real_lists_is_read_in_under_a_second(shared: Path, name: str, num_trials: int) -> None:
    started = time.perf_counter()
    trials = read_trials(shared / "corpora" / "voxceleb_lists" / name)
    values = align(ScoredPairs(trials.pairs, np.zeros(len(trials))), trials)
    assert time.perf_counter() - started < 1.0  # 0.1 s on an idle core
    assert len(trials) == len(values) == num_trials
