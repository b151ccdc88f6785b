"""What a benchmark leaves: rows.json, for the report; the table; the report itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.whole_files import write_whole
from recipe.benchmark_rows import FULL
from recipe.row_run import LEDGER, RowRun
from scoring.benchmark_table import BENCHMARK_HEADER, benchmark_table
from scoring.ledger import LEDGER_FILE, read_records
from scoring.results_table import aligned_table

ROWS_FILE = "rows.json"
PUBLISHED_NOTE = (
    "The published figures are of systems trained on VoxCeleb1 and 2 and tested on the VoxCeleb1 list by PLDA. Figures "
    "here are of the corpus {corpus}{small}. Other speakers, channels, durations and trials give other figures, so the "
    "two may be compared on VoxCeleb alone."
)


def rows_of(title: str, corpus: str, command: str, scale: str, runs: Sequence[RowRun]) -> dict[str, Any]:
    """What rows.json holds.

    Args:
        title: of the report.
        corpus: name of the data.
        command: the command line.
        scale: "full", or which file of changes in conf/benchmark.
        runs: of the rows, in order.
    """
    small = "" if scale == FULL else f", with the smaller networks and fewer steps of conf/benchmark/{scale}.yaml"
    rows = [
        {
            "name": run.name,
            "title": run.row.row.title,
            "exp": str(run.exp),
            "status": run.status,
            "log": str(run.log) if run.log.exists() else None,
            "published": run.row.row.published,
        }
        for run in runs
    ]
    note = PUBLISHED_NOTE.format(corpus=corpus, small=small)
    return {"title": title, "corpus": corpus, "command": command, "published_note": note, "rows": rows}


def write_rows(path: Path, content: dict[str, Any]) -> None:
    """Write rows.json; the file is whole or the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def row_figures(exp: Path, test: str) -> str:
    """`, EER 5.77 % by PLDA` of a row that is done; "" if it has no results."""
    path = exp / "results.json"
    if not path.is_file():
        return ""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["test_sets"][test]["results"]
        [first, *_] = [each for each in results if each["back_end"] == "PLDA"]
        return f", EER {100 * first['eer']['value']:.2f} % by PLDA"
    except (ValueError, KeyError, TypeError):
        return f"; {path} is damaged"


def ledger_of(folder: Path) -> Path:
    """The ledger of a benchmark: that of all experiments beside it, or $PIPELINE_LEDGER."""
    return Path(os.environ.get(LEDGER) or folder.parent / LEDGER_FILE)


def benchmark_lines(folder: Path, runs: Sequence[RowRun], tests: Sequence[str]) -> list[str]:
    """The table of each test set, for a terminal. A row that has failed has no figures, whatever it had before.

    Raises:
        InputError: the ledger is damaged.
    """
    ledger, failed = ledger_of(folder), {run.name for run in runs if run.status == "failed"}
    records = [record for record in read_records(ledger) if record.row not in failed] if ledger.exists() else []
    rows = [replace(run.row.row, title=run.row.row.title + " (failed)" * (run.name in failed)) for run in runs]
    lines: list[str] = []
    for test in tests:
        cells = benchmark_table(records, rows, test, benchmark=folder.name)
        lines += ["", f"{test}:", *aligned_table(BENCHMARK_HEADER, cells)]
    return lines


def write_report(folder: Path, data: str, tests: Sequence[str], seed: int, resamples: int) -> bool:
    """Make <folder>/report; whether it succeeded. What went wrong has been printed."""
    words = ["--rows", str(folder / ROWS_FILE), "--data", data, "--tests", *tests, "--out", str(folder / "report")]
    words += ["--seed", str(seed), "--num-resamples", str(resamples)]
    return subprocess.run([sys.executable, "-m", "scoring.report_page", *words], check=False).returncode == 0
