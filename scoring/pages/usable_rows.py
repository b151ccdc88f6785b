"""Which rows of a report have all that the page needs; the others are shown with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from common.errors import InputError
from common.program import log_message
from scoring.back_ends import HEADLINE
from scoring.pages.rows import ReportRow, ReportSpec
from scoring.pages.run_files import read_curve
from scoring.pages.set_facts import SetFacts
from scoring.pages.systems import RecordedFigures, scores_of, systems_of
from scoring.stage_record import read_stage_record


def usable_rows(spec: ReportSpec, sets: Sequence[SetFacts]) -> ReportSpec:
    """The report, in which a row that is done but cannot be shown is missing, with its reason, which is also printed.

    Args:
        spec: the report.
        sets: its test sets.

    Raises:
        InputError: rows are done, and none of them can be shown; or it is a report of one run, which cannot be shown.
    """
    rows, first = [], None
    for row in spec.rows:
        try:
            if row.status == "done":
                check_row(row, sets)
        except InputError as error:
            if spec.single:
                raise
            first = first or error
            log_message(f"{row.title}: not in the report: {error}")
            row = dataclasses.replace(row, status="missing", reason=str(error))
        rows.append(row)
    checked = dataclasses.replace(spec, rows=tuple(rows))
    if first and not checked.done:
        raise first
    return checked


def check_row(row: ReportRow, sets: Sequence[SetFacts]) -> None:
    """Read those files of a row that a page needs.

    Args:
        row: a row that is done.
        sets: the test sets.

    Raises:
        InputError: there are no scores of a test set, scores lack a trial, or a file is damaged.
    """
    recorded = RecordedFigures(row.exp)
    read_stage_record(row.exp)
    read_curve(row.exp)
    for facts in sets:
        systems = systems_of(row, facts.name)
        if not systems:
            raise InputError(f"{row.exp}/scores: there are no scores of test set {facts.name}; run stage 11")
        for system in systems:
            if system.back_end == HEADLINE or recorded.of(system, facts.name) is None:
                scores_of(system, facts)
