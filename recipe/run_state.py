"""A run as it goes on: the plan at its start, then from stage to stage; pipeline.sh gets what it needs to know."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from recipe.bash_names import send_to_bash
from recipe.command_line import Given
from recipe.dry_run import describe_stage
from recipe.input_checks import RefusedInputError, check_input
from recipe.next_stage import complete_stage, find_next, stages_from
from recipe.plan import RunPlan, from_text, to_text
from recipe.planning import make_plan
from recipe.stage_times import Times, total_of_run
from recipe.stages import LAST_STAGE, PlannedStage, planned_stages


def start_run(words: Sequence[str], given: Given) -> int:
    """Make the plan, check the input, and find the first stage that must run. Returns the exit code.

    A benchmark has no plan of its own: each of its rows has one.
    """
    if given.options().benchmark:
        send_to_bash({"benchmark": True, "plan": "none", "nj": given.options().nj})
        return 0
    plan = make_plan(words, given)
    try:
        check_input(plan)
        planned = planned_stages(plan)
        send_to_bash({**plan.values(), "plan": to_text(plan)})
        if plan.dry_run:
            keys = tuple(each.stage.key for each in planned)
            send_to_bash({"planned": keys, "described": tuple(map(describe_stage, planned))})
        else:
            print(f"environment: {_environment()}", flush=True)
            _send_next(plan, planned, after_stage_0=True)
    except RefusedInputError:
        return 1
    return 0


def _environment() -> str:
    if Path(sys.prefix).resolve() == Path(".venv").resolve():
        return f".venv (Python {sys.version.split()[0]})"
    return f"{sys.executable} as it is; it has every package at its minimum version"


def go_on(key: str, times: Times) -> int:
    """Write down that a stage is complete, and find the next one. Returns the exit code."""
    plan = from_text(sys.stdin.read())
    this, *rest = stages_from(plan, key)
    complete_stage(this, times)
    return _sent(plan, rest, after_stage_0=this.stage.number == 0)


def look_again(key: str) -> int:
    """Find the next stage after another run was waited for: it may have made what is wanted. Returns the exit code."""
    plan = from_text(sys.stdin.read())
    return _sent(plan, stages_from(plan, key), after_stage_0=key == "0")


def _sent(plan: RunPlan, planned: Sequence[PlannedStage], after_stage_0: bool) -> int:
    try:
        _send_next(plan, planned, after_stage_0)
    except RefusedInputError:
        return 1
    return 0


def _send_next(plan: RunPlan, planned: Sequence[PlannedStage], after_stage_0: bool) -> None:
    found = find_next(plan, planned, after_stage_0)
    if found is None:
        send_to_bash({"next_stage": "none"})
        return
    stage = found.planned.stage
    facts = {
        "next_stage": stage.key,
        "stage_folder": found.planned.folder,
        "stage_marker": str(found.planned.marker),
        "announcement": found.announcement(plan),
    }
    if stage.number == LAST_STAGE:
        facts |= {"times": total_of_run(plan)}
    send_to_bash(facts)
