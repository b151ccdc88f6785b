"""pipeline.sh --benchmark: each row of the table on one corpus, by a run of pipeline.sh in exp/<benchmark>/<row>.

Rows share the stages before training. A row that is complete is not run again, and an interrupted one goes on where it
was, because each row's run does so. A row that fails does not stop the others; it is reported at the end with its log.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from recipe.benchmark_results import ROWS_FILE, benchmark_lines, rows_of, write_report, write_rows
from recipe.benchmark_rows import FULL, ChosenRow, all_rows, chosen_rows
from recipe.command_line import COMMAND_LINE, Given, as_given, log_line, read_command_line
from recipe.corpora import corpus_of
from recipe.corpus_conf import read_corpus_options
from recipe.experiment import OF_NETWORKS
from recipe.input_checks import RefusedInputError, check_input
from recipe.options import OPTIONS, flag_of
from recipe.plan import RunPlan
from recipe.planning import make_plan, shell_word
from recipe.row_run import RowRun
from recipe.row_runs import lock_folder, run_rows

_OWN = ("benchmark", "benchmark_table", "rows", "scale", "jobs", "exp", "dry_run")
_CHOSEN_BY_ROWS = ("nnet_config", "nnet_opts", "ivector_config", "ivector_opts", "max_steps", "stop_stage")
_NORMALISED = ("--normalised", "true", "--baselines", "false", "--benchmark", "false")


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
        self._own = {name: _words(given, name) for name in given.found_in}
        read_corpus_options(given)
        self.options = given.options()
        _refuse_options_of_rows(given)
        self.command = " ".join(["./pipeline.sh", *map(shell_word, words)])
        corpus = corpus_of(self.options)
        self.corpus, self.tests = corpus.name, corpus.tests
        self.data = self.options.data or f"data/{corpus.name}"
        table = self.options.benchmark_table
        self.table = all_rows(table, self.options.scale)
        self.rows = chosen_rows(self.table, self.options.rows, table)
        self.folder = Path(self.options.exp or f"exp/{corpus.name}-benchmark-{self._kind()}")
        self._checkout = given.checkout
        self.plans = [self._plan(row) for row in self.rows]

    def _kind(self) -> str:
        """How the benchmarks of a corpus differ: scale, another table, preset."""
        table = self.options.benchmark_table
        own_table = "" if table == OPTIONS["benchmark_table"].default else Path(table).name.removesuffix(".yaml")
        return "-".join(filter(None, [self.options.scale, own_table, self.options.preset]))

    def words_of(self, row: ChosenRow) -> list[str]:
        """The options of ./pipeline.sh for a row; the row's exp is below the benchmark's.

        Options of networks do not go to i-vectors. Rows whose copies are made on disk have no copies at other speeds,
        unless the command line asks for them: all rows would share the features of stage 1.
        """
        without = () if row.row.network else OF_NETWORKS
        words = [word for name, own in self._own.items() if name not in without for word in own]
        if row.row.network:
            words += [] if "speed_perturb" in self._own else ["--speed-perturb", "false"]
            words += ["--max-steps", "-"] if self.options.scale == FULL else []
        return [*words, *_NORMALISED, "--exp", str(self.folder / row.name), *row.options()]

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

    def _plan(self, row: ChosenRow) -> RunPlan:
        """What is wrong with a row by its names alone is found before hours of other rows."""
        given = Given(self._checkout, self._checkout)
        words = self.words_of(row)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # its own run logs what it decides
                read_command_line(words, given)
                read_corpus_options(given)
                return make_plan(words, given)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from error


def _refuse_options_of_rows(given: Given) -> None:
    if given.options().force:
        raise InputError("--force is not for --benchmark; remove exp/<benchmark>/<row> to run a row again")
    if given.options().stage > 1:
        raise InputError(f"--stage is {given.options().stage}, but rows of --benchmark begin at stage 0 or 1")
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


def run_benchmark(words: Sequence[str], given: Given) -> int:
    """Run the benchmark of a command line.

    Args:
        words: the command line of ./pipeline.sh.
        given: nothing yet.

    Returns:
        1 if a row has failed, or the report; else 0.

    Raises:
        InputError: an option is wrong, or another benchmark is at work in the folder.
    """
    benchmark = Benchmark(words, given)
    if benchmark.options.dry_run:
        for row in benchmark.rows:
            print(" ".join(["./pipeline.sh", *map(shell_word, benchmark.words_of(row))]))
        return 0
    try:
        check_input(benchmark.plans[0])
    except RefusedInputError:
        return 1
    with lock_folder(benchmark.folder):
        return _run(benchmark)


def _run(benchmark: Benchmark) -> int:
    rows = ", ".join(row.name for row in benchmark.rows)
    log_line(f"benchmark: {len(benchmark.rows)} rows on {benchmark.corpus} -> {benchmark.folder}: {rows}")
    runs, interrupted = benchmark.runs(), False
    try:
        run_rows(benchmark, runs)
    except KeyboardInterrupt:
        interrupted = True
    benchmark.write_rows(runs)
    if interrupted:
        log_line("benchmark: interrupted; the same command goes on where it was")
        return 1
    failed = [run for run in runs if run.status == "failed"]
    for run in failed:
        log_line(f"row {run.name} failed with code {run.code}; the end of {run.log}:")
        for line in run.last_lines():
            print(f"    {line}", file=sys.stderr)
        print(f"    (if the row has changed since it was trained, remove {run.exp})", file=sys.stderr, flush=True)
    print("\n".join(benchmark_lines(benchmark.folder, runs, benchmark.tests)), flush=True)
    options = benchmark.options
    reported = write_report(benchmark.folder, benchmark.data, benchmark.tests, options.seed, options.bootstrap)
    return int(bool(failed) or not reported)
