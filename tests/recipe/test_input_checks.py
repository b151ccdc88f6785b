"""What is refused before anything is read or run."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from recipe.input_checks import RefusedInputError, check_input

from .conftest import MakePlan


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A data directory `train` that a user has made."""
    (tmp_path / "own" / "train").mkdir(parents=True)
    (tmp_path / "own" / "train" / "utt2spk").write_text("a-1 a\n")
    return tmp_path / "own"


def test_stage_0_does_not_replace_data_directories_that_a_user_made(plan_of: MakePlan, own_data: Path) -> None:
    with pytest.raises(InputError, match=r"own/train is a data directory that this recipe did not make.*--stage 1"):
        check_input(plan_of("--data", own_data))


@pytest.mark.parametrize("words", [("--force",), ("--stage", 1)])
def test_they_may_be_replaced_by_force_and_are_no_concern_of_a_later_stage(
    plan_of: MakePlan, own_data: Path, words: tuple[object, ...]
) -> None:
    check_input(plan_of("--data", own_data, *words))


def test_directories_of_an_interrupted_stage_0_are_replaced(plan_of: MakePlan, own_data: Path) -> None:
    (own_data / ".stages").mkdir()
    check_input(plan_of("--data", own_data))


@pytest.fixture
def shared_audio(tmp_path: Path) -> Path:
    """Data directories that a user has made, in which a test utterance has the audio of a training utterance."""
    for side, speakers in (("train", "ab"), ("test", "cd")):
        folder = tmp_path / "shared" / side
        folder.mkdir(parents=True)
        for name in speakers:
            (folder / f"{name}.wav").write_bytes(b"equal" if name in "ac" else name.encode())
        for table, form in (("utt2spk", "{0}-1 {0}\n"), ("spk2utt", "{0} {0}-1\n"), ("wav.scp", "{0}-1 {1}/{0}.wav\n")):
            (folder / table).write_text("".join(form.format(name, folder) for name in speakers))
    (tmp_path / "shared" / "test" / "trials").write_text("c-1 c-1 target\nc-1 d-1 nontarget\n")
    return tmp_path / "shared"


def test_audio_on_both_sides_of_own_data_is_refused_before_training(
    plan_of: MakePlan, shared_audio: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--data", shared_audio, "--trust-earlier")
    with pytest.raises(RefusedInputError):
        check_input(plan_of(*words, "--stage", 1))
    said = capfd.readouterr().err
    assert "have the same audio as one of" in said and "(--allow-leak equal-audio allows it)" in said
    check_input(plan_of(*words, "--stage", 1, "--allow-leak", "equal-audio"))
    check_input(plan_of(*words, "--stage", 6))  # training has begun on these data: no audio is read again


def test_what_may_be_shared_has_names_and_decides_on_stage_0(plan_of: MakePlan) -> None:
    with pytest.raises(InputError, match='--allow-leak is "all"; expected names of shared-speakers, copies'):
        plan_of("--allow-leak", "all")
    plan = plan_of("--allow-leak", "copies,equal-audio")
    assert "allow_leak=copies,equal-audio" in plan.corpus_options
    assert plan.prepare[plan.prepare.index("--allow-leak") + 1] == "copies,equal-audio"
    plain = plan_of()
    assert not any("leak" in word for word in (*plain.corpus_options, *plain.prepare))
