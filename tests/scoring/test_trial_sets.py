"""Claims about test sets: their counts, and whose the enrolled models are."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from common.errors import InputError
from scoring.bootstrap import trial_speakers
from scoring.trial_sets import parse_trial_set, read_trial_set


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two models of two utterances each, tested with a third utterance of either speaker."""
    (tmp_path / "utt2spk").write_text("".join(f"s{s}-u{u} s{s}\n" for s in (1, 2) for u in (1, 2, 3)))
    (tmp_path / "enroll2utt").write_text("m1 s1-u1 s1-u2\nm2 s2-u1 s2-u2\n")
    (tmp_path / "trials").write_text("m1 s1-u3 target\nm1 s2-u3 nontarget\nm2 s2-u3 target\n")
    return tmp_path


def test_a_model_is_of_the_speaker_of_its_utterances(data: Path) -> None:
    trial_set = read_trial_set("test", data)
    enroll, test = trial_speakers(trial_set.trials, trial_set.speaker_of)
    assert (enroll.tolist(), test.tolist()) == ([0, 0, 1], [0, 1, 1])
    assert trial_set.counts == {"trials": 3, "targets": 2, "nontargets": 1, "speakers": 2}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m1", r"enroll2utt:1: found 'm1', expected `model utt1 utt2 …`"),
        ("m1 s9-u1", r"enroll2utt:1: utterance 's9-u1' of model 'm1' is not in utt2spk"),
        ("m1 s1-u1 s1-u9", r"enroll2utt:1: utterance 's1-u9' of model 'm1' is not in utt2spk"),
        ("m1 s1-u1 s1-u2 s2-u1", r"enroll2utt:1: model 'm1' has two speakers: 's1-u1' is of speaker 's1', 's2-u1' of"),
        ("s2-u3 s1-u1", r"enroll2utt:1: model 's2-u3' is of speaker 's1', the utterance of the same name of 's2'"),
    ],
)
def test_a_model_without_a_known_speaker_is_refused(data: Path, line: str, message: str) -> None:
    (data / "enroll2utt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=message):
        read_trial_set("test", data)


def test_a_missing_list_is_named(data: Path) -> None:
    (data / "utt2spk").unlink()
    with pytest.raises(OSError, match="utt2spk"):
        read_trial_set("test", data)


@pytest.mark.parametrize("text", ["data/test", "=data/test", "test="])
def test_a_test_set_without_name_or_directory_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected `NAME=DATA_DIR`"):
        parse_trial_set(text)
