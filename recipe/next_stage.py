"""Which stage runs next: those that are up to date are reported and skipped.

A stage is checked only when the stages before it are done, in the process that completes the last of them. So an
up-to-date run needs one Python start, and a stage that runs needs one more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from recipe.check_writable import require_writable
from recipe.command_line import log_line
from recipe.input_checks import check_usable_speakers
from recipe.markers import reason_to_run, refuse_gone, write_marker
from recipe.plan import RunPlan
from recipe.stage_times import Times, left_of_run, record_times
from recipe.stages import LAST_STAGE, PlannedStage, planned_stages


@dataclass(frozen=True)
class NextStage:
    """A stage that must run, and why (None: it is forced)."""

    planned: PlannedStage
    why: str | None

    def announcement(self, plan: RunPlan) -> str:
        """What the log says when it begins."""
        planned = self.planned
        why = f" ({self.why})" if self.why else ""
        left = left_of_run(plan, planned)
        return f"stage {planned.stage.number}/{LAST_STAGE}: {planned.title}{why}{f'; {left}' if left else ''}"


def find_next(plan: RunPlan, planned: Iterable[PlannedStage], after_stage_0: bool) -> NextStage | None:
    """The first of these stages that must run; None if there is none.

    Args:
        plan: of the run.
        planned: stages of the run, in order.
        after_stage_0: whether the number of usable speakers is checked before the next stage.

    Raises:
        InputError: a stage before `--stage` is not up to date, or files that a stage needs are gone.
        RefusedInputError: too few speakers can be used.
    """
    for each in planned:
        number = each.stage.number
        if number < plan.first_stage:
            _check_earlier(plan, each)
            continue
        why = why_stale(each, plan.options.force)
        if why or plan.options.force:
            if after_stage_0 and 1 <= number <= 5:
                check_usable_speakers(plan)
            _check_places(plan, each)
            return NextStage(each, why)
        log_line(f"stage {number}: {each.title}: up to date")
    return None


def _check_earlier(plan: RunPlan, planned: PlannedStage) -> None:
    """Refuse a run whose stages before --stage are not up to date, unless they are trusted."""
    why = None if plan.options.trust_earlier else why_stale(planned, forced=False)
    if why:
        number = planned.stage.number
        raise InputError(
            f"--stage {plan.first_stage} needs stage {number}, which is not up to date: {why}\n"
            f"  run from --stage {number}; if these files are yours and must be used as they are, add --trust-earlier"
        )


def why_stale(planned: PlannedStage, forced: bool) -> str | None:
    """Why a stage must run; None if its last run still holds.

    Raises:
        InputError: files that its tables name are gone, and it could not run.
    """
    try:
        why = reason_to_run(planned.marker, planned.options, planned.inputs, planned.outputs)
    except InputError as error:  # a damaged marker counts as none
        log_message(str(error))
        why = "its marker is damaged"
    refuse_gone(forced, why, planned.inputs, planned.outputs)
    return why


def _check_places(plan: RunPlan, planned: PlannedStage) -> None:
    """Refuse a stage whose directory, or the experiment of the stages to come, cannot be written to."""
    if planned.folder != plan.exp:
        require_writable("--data", Path(planned.folder))
    if planned.folder == plan.exp or plan.last_stage >= 6:
        require_writable("--exp", Path(plan.exp))


def complete_stage(planned: PlannedStage, times: Times) -> None:
    """Write down that a stage is complete, how long it took, and how much memory.

    Raises:
        InputError: one of its inputs or outputs does not exist.
    """
    number = planned.stage.number
    write_marker(planned.marker, planned.options, planned.inputs, planned.outputs, times.seconds, times.peak_mb)
    if planned.stage.timed:
        record_times(Path(planned.folder), number, times)
    (planned.marker.parent / "lock").write_text("")  # without the line of a run that has ended
    log_line(f"stage {number}/{LAST_STAGE}: done in {times.seconds:g} s")


def stages_from(plan: RunPlan, key: str) -> list[PlannedStage]:
    """The stages of the run from the one with this key on."""
    planned = planned_stages(plan)
    return planned[[each.stage.key for each in planned].index(key) :]
