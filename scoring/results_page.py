"""Results as text: tables for the terminal, RESULTS.md, JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from scoring.provenance import Note
from scoring.results import Results, System
from scoring.results_table import HEADER, aligned_table, markdown_table


def printed_tables(systems: Sequence[System], results: Sequence[Results]) -> list[str]:
    """Lines of the aligned tables, an empty line between the test sets."""
    lines: list[str] = []
    for result in results:
        lines += [*([""] if lines else []), result.heading, *aligned_table(HEADER, result.rows(systems))]
    return lines


def results_page(
    title: str, systems: Sequence[System], results: Sequence[Results], definitions: Sequence[str], notes: Sequence[Note]
) -> list[str]:
    """The lines of RESULTS.md."""
    page = [f"# {title}"]
    for result in results:
        page += ["", f"## {result.heading}", "", *markdown_table(HEADER, result.rows(systems))]
    page += ["", "## What the figures are", "", *(f"- {sentence}" for sentence in definitions)]
    circumstances = [f"- {key}: {value}" for key, value in notes]
    return [*page, "", "## How they were made", "", *circumstances] if circumstances else page


def results_json(systems: Sequence[System], results: Sequence[Results], notes: Sequence[Note]) -> str:
    """The same figures for programs: shares, not per cent."""
    test_sets = {result.trial_set.name: _figures_of(systems, result) for result in results}
    return json.dumps({"test_sets": test_sets, "notes": dict(notes)}, indent=2, ensure_ascii=False)


def _figures_of(systems: Sequence[System], result: Results) -> dict[str, Any]:
    figures = []
    for system, summary in zip(systems, result.summaries, strict=True):
        named = {"name": system.name, "back_end": system.back_end, "scores": system.scores_of(result.trial_set.name)}
        min_dcf = {f"{p_target:g}": dataclasses.asdict(figure) for p_target, figure in summary.min_dcf.items()}
        figures.append({**named, "eer": dataclasses.asdict(summary.eer), "min_dcf": min_dcf})
    return {**result.trial_set.counts, "results": figures}
