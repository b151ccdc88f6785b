"""recipe/next_stage.py: which stage runs next, on a run whose files are all there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.errors import InputError
from recipe.next_stage import NextStage, complete_stage, find_next, stages_from
from recipe.plan import RunPlan
from recipe.stage_record import stage_costs
from recipe.stage_times import Times, left_of_run, read_ledger, total_of_run
from recipe.stages import planned_stages
from scoring.ledger_record import StageCost

from .conftest import MakePlan


@dataclass
class Run:
    """A complete run of the mini corpus, of empty files."""

    plan: RunPlan
    make: MakePlan

    def again(self, *words: str) -> NextStage | None:
        """What runs next with these options."""
        plan = self.make("--data", self.plan.data, "--exp", self.plan.exp, *words)
        return find_next(plan, planned_stages(plan), after_stage_0=False)


@pytest.fixture
def run(plan_of: MakePlan, tmp_path: Path) -> Run:
    plan = plan_of("--data", tmp_path / "d", "--exp", tmp_path / "e")
    planned = planned_stages(plan)
    paths = {Path(path) for each in planned for path in (*each.inputs, *each.outputs)}
    folders = {path for path in paths if plan.data in map(str, path.parents) and not path.suffix} - {
        *(Path(plan.data, name) for name in ("rir_sets", "rir_list", "test/trials")),
    }
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths - folders:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("")
    for each in planned:
        complete_stage(each, Times(2.0, 3.0, 10.5))
    return Run(plan, plan_of)


def test_stages_that_are_up_to_date_are_reported_and_nothing_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run.again() is None
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12 and all(line.endswith(": up to date") for line in lines)


def test_the_first_stale_stage_runs_next_and_those_after_it_are_not_looked_at(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(run.plan.exp, "backend", "plda").write_text("other")
    Path(run.plan.exp, "RESULTS.md").unlink()
    capsys.readouterr()
    found = run.again()
    assert found is not None and found.planned.stage.key == "10"
    assert found.why == f"output {run.plan.exp}/backend/plda changed"
    assert capsys.readouterr().err.count("up to date") == 9
    complete_stage(found.planned, Times(1.0, None))
    later = find_next(run.plan, stages_from(run.plan, "10"), after_stage_0=False)
    assert later is not None and (later.planned.stage.key, later.why) == (
        "11",
        f"input {run.plan.exp}/backend/plda changed",
    )


def test_an_option_of_a_later_stage_leaves_the_earlier_ones(run: Run) -> None:
    found = run.again("--bootstrap", "7")
    assert found is not None and found.planned.stage.key == "12"
    assert found.announcement(run.plan).startswith("stage 12/12: scores -> ")
    assert "(option bootstrap was 1000, is 7); about 2 s left in all" in found.announcement(run.plan)


def test_force_runs_from_the_first_stage_on_and_not_before(run: Run) -> None:
    found = run.again("--force", "--stage", "8")
    assert found is not None and (found.planned.stage.key, found.why) == ("8", None)


def test_a_stale_stage_before_the_first_is_refused_unless_it_is_trusted(run: Run) -> None:
    Path(run.plan.lists).rmdir()
    with pytest.raises(InputError, match=f"--stage 6 needs stage 5, which is not up to date: output {run.plan.lists}"):
        run.again("--stage", "6")
    found = run.again("--stage", "6", "--trust-earlier")
    assert found is not None and found.planned.stage.key == "6"


def test_a_damaged_marker_is_reported_and_its_stage_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    marker = Path(run.plan.exp, ".stages", "9.json")
    marker.write_text("{")
    found = run.again()
    assert found is not None and (found.planned.stage.key, found.why) == ("9", "its marker is damaged")
    assert f"{marker}: not a stage marker" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_refused_before_the_stage(plan_of: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for option, other in (("--data", "--exp"), ("--exp", "--data")):
        plan = plan_of(option, tmp_path / "file" / "x", other, tmp_path / "y")
        with pytest.raises(InputError, match=f"{option} is {tmp_path}/file/x: {tmp_path}/file is not a directory"):
            find_next(plan, planned_stages(plan), after_stage_0=False)
    plan = plan_of("--exp", tmp_path / "file" / "x", "--data", tmp_path / "y", "--stop-stage", "4")
    assert find_next(plan, planned_stages(plan), after_stage_0=False) is not None  # the experiment is not reached


def test_a_completed_stage_has_its_times_and_no_line_in_its_lock(run: Run) -> None:
    assert read_ledger(Path(run.plan.exp))[6] == Times(2.0, 3.0, 10.5)
    assert json.loads(Path(run.plan.exp, ".stages", "6.json").read_text())["peak_mb"] == 10.5
    assert Path(run.plan.exp, ".stages", "lock").read_text() == ""
    times = "0:20 wall, 0:30 CPU; training 0:02 wall, 0:03 CPU"  # without stages 7 and 12
    assert total_of_run(run.plan) == f"{times}; peak memory 0.01 GB in stage 0"
    costs = stage_costs(run.plan)  # what stage 12 writes into the ledger of results
    assert [cost.stage for cost in costs] == ["0", "1", "1-features", "4", "5", "6", "8", "9", "10", "11"]
    assert costs[5] == StageCost("6", 2.0, 3.0, 10.5, "training")
    planned = {each.stage.key: each for each in planned_stages(run.plan)}
    assert left_of_run(run.plan, planned["11"]) == "about 4 s left in all"
