"""recipe/run_state.py and training_inputs.py: what is checked again on the way, and what a damaged note leads to."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from recipe import run_state
from recipe.plan import to_text
from recipe.training_inputs import BEGUN, note_training_inputs

from .conftest import MakePlan


@pytest.mark.parametrize(("key", "checked"), [("0", True), ("4", False)])
def test_the_speakers_are_checked_after_another_run_has_made_stage_0(
    plan_of: MakePlan, monkeypatch: pytest.MonkeyPatch, key: str, checked: bool
) -> None:
    found: list[bool] = []
    monkeypatch.setattr(run_state, "find_next", lambda plan, planned, after_stage_0: found.append(after_stage_0))
    monkeypatch.setattr(run_state, "send_to_bash", lambda values: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO(to_text(plan_of())))
    assert run_state.look_again(key) == 0
    assert found == [checked]


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """An experiment whose note of training inputs is damaged."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.scp").write_text("a b\n")
    note = tmp_path / "exp" / BEGUN
    note.parent.mkdir(parents=True)
    note.write_text("{")
    return tmp_path / "exp"


def test_a_damaged_note_of_training_inputs_is_written_again_if_nothing_was_trained(
    exp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note_training_inputs(exp, f"{exp.parent}/lists")
    assert f"{exp}/{BEGUN} is damaged, and is written again" in capsys.readouterr().err
    (exp / "last.pt").write_text("")
    note_training_inputs(exp, f"{exp.parent}/lists")


def test_a_training_whose_note_is_damaged_is_not_resumed_on_lists_that_may_be_others(exp: Path) -> None:
    (exp / "last.pt").write_text("")
    with pytest.raises(InputError) as refusal:
        note_training_inputs(exp, f"{exp.parent}/lists")
    assert str(refusal.value) == (
        f"{exp}/last.pt may be trained on other features or lists: {exp}/{BEGUN} is damaged; give another --exp, or"
        " remove last.pt and best.pt there to start again"
    )


def test_a_warning_begins_with_the_programs_name(checkout: Path, tmp_path: Path) -> None:
    words = ["--dry-run", "--nnet-opts", "data.source=wav", "--nnet-opts", "augment={}"]
    command = ["bash", "-c", '"$@" 3> /dev/null', "bash", sys.executable, "utils/recipe.py", "start", *words]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "wav" in line]
    assert lines and all(line.startswith("pipeline.sh: ") for line in lines)
