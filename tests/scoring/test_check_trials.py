"""Trials of a data directory are checked whole before anything is computed for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from scoring.check_trials import check_trials, main

GOOD = "a-1 a-2 target\na-1 b-1 nontarget\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "utt2spk").write_text("a-1 a\na-2 a\nb-1 b\nb-2 b\n")
    (tmp_path / "trials").write_text(GOOD)
    return tmp_path


def test_good_trials_are_accepted(data: Path) -> None:
    assert main([str(data)]) == 0
    (data / "trials").write_text(GOOD + "b-1 a-1 nontarget\n")  # the other way round is another trial
    assert main([str(data), str(data)]) == 0


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("a-1 a-2 target\n", "has 1 target trials and no nontarget trial"),
        ("a-1 b-1 nontarget\na-1 b-2 nontarget\n", "has 2 nontarget trials and no target trial"),
        (GOOD + "a-2 b-1 target\n", "1 of 3 labels contradict utt2spk: trial 3: a-2 b-1 target, of a and b"),
        (GOOD + "b-2 b-1 nontarget\n", "1 of 3 labels contradict utt2spk: trial 3: b-2 b-1 nontarget, of b"),
        (GOOD + "a-1 a-2 target\n", "already on line 1"),
        (GOOD + "a-1 a-2 nontarget\n", "already on line 1"),
        (GOOD + "a-1 c-1 nontarget\n", "1 ids are not in .*/utt2spk .first: c-1"),
    ],
)
def test_wrong_trials_are_refused(data: Path, lines: str, says: str) -> None:
    (data / "trials").write_text(lines)
    with pytest.raises(InputError, match=says):
        check_trials(data)


def test_models_have_the_speaker_of_their_utterances(data: Path) -> None:
    (data / "enroll2utt").write_text("model a-1 a-2\n")
    (data / "trials").write_text("model a-2 target\nmodel b-1 nontarget\n")
    check_trials(data)
    (data / "trials").write_text("model a-2 target\nmodel b-1 target\n")
    with pytest.raises(InputError, match="no nontarget"):
        check_trials(data)
    (data / "trials").write_text("model a-2 nontarget\nmodel b-1 target\n")
    with pytest.raises(InputError, match="2 of 2 labels contradict"):
        check_trials(data)


def test_a_missing_file_is_named(data: Path) -> None:
    (data / "utt2spk").unlink()
    with pytest.raises((OSError, InputError), match="utt2spk"):
        check_trials(data)
    (data / "trials").unlink()
    with pytest.raises(InputError, match=r"trials: no such file; expected lines .*stage 0 makes it"):
        check_trials(data)
