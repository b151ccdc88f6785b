"""pipeline.sh --benchmark: each row of the table on one corpus, by a run of pipeline.sh in exp/<benchmark>/<row>.

Rows share the stages before training. A row that is complete is not run again, and an interrupted one goes on where it
was, because each row's run does so. A row that fails does not stop the others; it is reported at the end with its log.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.progress import about, format_seconds
from recipe.benchmark_results import ROWS_FILE, benchmark_lines, row_figures, rows_of, write_report, write_rows
from recipe.benchmark_rows import ChosenRow, all_rows, chosen_rows
from recipe.command_line import COMMAND_LINE, Given, as_given, log_line, read_command_line
from recipe.corpora import corpus_of
from recipe.corpus_conf import read_corpus_options
from recipe.options import flag_of
from recipe.planning import make_plan, shell_word
from recipe.row_run import RowRun

_OWN = ("benchmark", "benchmark_table", "rows", "scale", "jobs", "exp", "dry_run")
_CHOSEN_BY_ROWS = ("nnet_config", "nnet_opts", "ivector_config", "ivector_opts", "max_steps", "stage", "stop_stage")
_POLL_SECONDS = 0.5


class Benchmark:
    """A benchmark, checked before anything is run.

    Args:
        words: the command line of ./pipeline.sh.
        given: nothing yet.

    Raises:
        InputError: an option is wrong, or contradicts --benchmark.
    """

    def __init__(self, words: Sequence[str], given: Given) -> None:
        read_command_line(words, given)
        _refuse_options_of_rows(given)
        own = [word for name in given.found_in for word in _words(given, name)]
        read_corpus_options(given)
        self.options = given.options()
        self.command = " ".join(["./pipeline.sh", *map(shell_word, words)])
        corpus = corpus_of(self.options)
        self.corpus, self.tests = corpus.name, corpus.tests
        self.data = self.options.data or f"data/{corpus.name}"
        self.folder = Path(self.options.exp or f"exp/{corpus.name}-benchmark-{self.options.scale}")
        table = self.options.benchmark_table
        self.table = all_rows(table, self.options.scale)
        self.rows = chosen_rows(self.table, self.options.rows, table)
        self._shared = [*own, "--normalised", "true", "--baselines", "false"]
        for row in self.rows:
            self._check(row, given.checkout)

    def words_of(self, row: ChosenRow) -> list[str]:
        """The options of ./pipeline.sh for a row; the row's exp is below the benchmark's."""
        return [*self._shared, "--exp", str(self.folder / row.name), *row.options()]

    def runs(self) -> list[RowRun]:
        """The rows that are run, and those that an earlier benchmark here has run."""
        runs = [RowRun(row, self.folder, self.words_of(row)) for row in self.table]
        chosen = [row.name for row in self.rows]
        for run in runs:
            if run.name not in chosen and (run.exp / "results.json").is_file():
                run.status = "done"
        return [run for run in runs if run.name in chosen or run.status == "done"]

    def write_rows(self, runs: Sequence[RowRun]) -> None:
        """Keep rows.json, what the report reads."""
        title = f"Benchmark on {self.corpus}, scale {self.options.scale}"
        content = rows_of(title, self.corpus, self.command, self.options.scale, runs)
        write_rows(self.folder / ROWS_FILE, content)

    def _check(self, row: ChosenRow, checkout: Path) -> None:
        """What is wrong with a row by its names alone is found before hours of other rows."""
        given = Given(checkout, checkout)
        try:
            read_command_line(self.words_of(row), given)
            read_corpus_options(given)
            make_plan(self.words_of(row), given)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from error


def _refuse_options_of_rows(given: Given) -> None:
    if given.on_command_line("force"):
        raise InputError("--force is not for --benchmark; remove exp/<benchmark>/<row> to run a row again")
    for name in _CHOSEN_BY_ROWS:
        if given.on_command_line(name):
            raise InputError(
                f"{flag_of(name)} is not for --benchmark, whose rows choose their experiments: see --benchmark-table"
            )


def _words(given: Given, name: str) -> list[str]:
    """An option of the command line, as each row gets it."""
    if name in _OWN or given.found_in[name] != COMMAND_LINE:
        return []
    value = given.values[name]
    values = value if isinstance(value, tuple) else (value,)
    return [f"{flag_of(name)}={as_given(each)}" for each in values]


def run_rows(benchmark: Benchmark) -> list[RowRun]:
    """Run every row, `--jobs` at once, and keep rows.json up to date."""
    runs = benchmark.runs()
    waiting, at_work, begun = [run for run in runs if run.status == "missing"], list[RowRun](), time.monotonic()
    to_run = list(waiting)
    cores = max(1, int(os.environ["PIPELINE_CORES"]) // benchmark.options.jobs)
    while waiting or at_work:
        while waiting and len(at_work) < benchmark.options.jobs:
            at_work.append(waiting.pop(0))
            at_work[-1].start(cores, benchmark.folder.name)
            log_line(f"row {at_work[-1].name}: {at_work[-1].row.row.config} -> {at_work[-1].exp}")
        time.sleep(_POLL_SECONDS)
        for run in list(at_work):
            for line in run.new_lines():
                print(f"  {run.name}: {line}", file=sys.stderr, flush=True)
            if run.has_ended():
                at_work.remove(run)
                benchmark.write_rows(runs)
                _report(run, to_run, benchmark.tests, time.monotonic() - begun)
    return runs


def _report(run: RowRun, runs: Sequence[RowRun], tests: Sequence[str], elapsed: float) -> None:
    """A line about a row that has ended, with the time left."""
    ended = [each for each in runs if each.status != "missing"]
    left = len(runs) - len(ended)
    end = f"{len(ended)} of {len(runs)} rows"
    if left:
        end += f"; {about(elapsed / len(ended) * left)} left"
    if run.status == "failed":
        log_line(f"row {run.name}: failed with code {run.code}; see {run.log} ({end})")
    else:
        figures = row_figures(run.exp, tests[0])
        log_line(f"row {run.name}: done in {format_seconds(run.seconds)}{figures} ({end})")


def run_benchmark(words: Sequence[str], given: Given) -> int:
    """Run the benchmark of a command line.

    Args:
        words: the command line of ./pipeline.sh.
        given: nothing yet.

    Returns:
        1 if a row has failed, or the report; else 0.
    """
    benchmark = Benchmark(words, given)
    if benchmark.options.dry_run:
        for row in benchmark.rows:
            print(" ".join(["./pipeline.sh", *map(shell_word, benchmark.words_of(row))]))
        return 0
    rows = ", ".join(row.name for row in benchmark.rows)
    log_line(f"benchmark: {len(benchmark.rows)} rows on {benchmark.corpus} -> {benchmark.folder}: {rows}")
    runs = run_rows(benchmark)
    print("\n".join(benchmark_lines(benchmark.folder, [run.row for run in runs], benchmark.tests)), flush=True)
    options = benchmark.options
    reported = write_report(benchmark.folder, benchmark.data, benchmark.tests, options.seed, options.bootstrap)
    failed = [run for run in runs if run.status == "failed"]
    for run in failed:
        log_line(f"row {run.name} failed with code {run.code}; the end of {run.log}:")
        for line in run.last_lines():
            print(f"    {line}", file=sys.stderr)
    return int(bool(failed) or not reported)
