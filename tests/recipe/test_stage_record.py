"""What a run's stages took and dropped, as the report reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from recipe.plan import RunPlan, to_text
from recipe.stage_record import dropped_groups, lists_of_dropped, main, stage_costs
from recipe.stage_times import Times, record_times
from scoring.ledger_record import StageCost
from scoring.stage_record import DroppedGroup, read_stage_record

from .conftest import MakePlan


@pytest.fixture
def plan(plan_of: MakePlan, tmp_path: Path) -> RunPlan:
    return plan_of("--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_times_are_those_of_the_ledgers_with_the_stages_names(plan: RunPlan) -> None:
    for folder, stage, times in (
        (plan.data, 0, Times(31.0, 40.5)), (plan.mfcc, 1, Times(3.0, None)), (plan.feats, 1, Times(4.0, 2.0)),
        (plan.exp, 6, Times(76.0, 150.0, 812.5)),
    ):  # fmt: skip
        record_times(Path(folder), stage, times)
    assert stage_costs(plan) == [
        StageCost("0", 31.0, 40.5, None, "corpus"),
        StageCost("1", 3.0, None, None, "features, VAD"),
        StageCost("1-features", 4.0, 2.0),
        StageCost("6", 76.0, 150.0, 812.5, "training"),
    ]


def test_reasons_are_counted_without_ids_and_numbers(tmp_path: Path) -> None:
    lines = ["a-1 a-1 has 9 frames, expected 25", "b-2 b-2 has 13 frames, expected 25", "c silent"]
    path = write(tmp_path / "dropped", "\n".join(lines))
    assert dropped_groups(path) == [
        DroppedGroup(str(path), "… has # frames, expected #", 2, "a-1"),
        DroppedGroup(str(path), "silent", 1, "c"),
    ]


def test_the_lists_of_every_directory_are_found(plan: RunPlan) -> None:
    lists = [
        write(Path(plan.data, "test", "dropped"), "a too_short\n"),
        write(Path(plan.mfcc, "train", "vad.scp.dropped"), "b no_frames\n"),
        write(Path(plan.lists, "dropped"), "c few_utterances\n"),
        write(Path(plan.exp, "embeddings_test", "embedding.scp.dropped"), "d no_frames\n"),
    ]
    write(Path(plan.data, "test", "undropped"), "e other\n")
    assert lists_of_dropped(plan) == lists


def test_the_program_writes_the_record_beside_the_plan(plan: RunPlan) -> None:
    exp = Path(plan.exp)
    write(exp / "plan.yaml", to_text(plan))
    write(Path(plan.data, "test", "dropped"), "a too_short\n")
    record_times(exp, 6, Times(76.0, 150.0))
    assert main([plan.exp]) == 0
    record = read_stage_record(exp)
    assert [cost.label for cost in record.times] == ["6 training"]
    assert [(group.reason, group.count) for group in record.dropped] == [("too_short", 1)]


def test_an_experiment_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan\.yaml is missing; \./pipeline\.sh writes it"):
        main([str(tmp_path)])
