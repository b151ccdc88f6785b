"""What is refused before anything is read or run."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from recipe.input_checks import check_input

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
