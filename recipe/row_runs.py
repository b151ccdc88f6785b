"""The rows of a benchmark while they run: side by side, with the end of each reported, and what is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from common.errors import InputError
from common.progress import about, format_seconds
from recipe.benchmark_results import ledger_of, row_figures
from recipe.command_line import log_line
from recipe.options import PipelineOptions
from recipe.row_run import RowRun

_POLL_SECONDS = 0.5


class Rows(Protocol):
    """What is known of the benchmark here."""

    folder: Path
    tests: tuple[str, ...]
    options: PipelineOptions

    def write_rows(self, runs: Sequence[RowRun]) -> None:
        """Write down how the rows have ended so far."""


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder of a benchmark.

    Raises:
        InputError: another benchmark holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another benchmark is at work in {folder}; wait for it, or give another --exp") from error
        yield


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run_rows(benchmark: Rows, runs: Sequence[RowRun]) -> None:
    """Run the rows that are not done, `--jobs` at once, and keep rows.json up to date.

    Raises:
        KeyboardInterrupt: asked to end; the runs have been asked too, and have ended.
    """
    waiting, at_work = [run for run in runs if run.status == "missing"], list[RowRun]()
    to_run, begun = list(waiting), time.monotonic()
    cores = max(1, int(os.environ["PIPELINE_CORES"]) // benchmark.options.jobs)
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < benchmark.options.jobs:
                at_work.append(waiting.pop(0))
                at_work[-1].start(cores, benchmark.folder.name, ledger_of(benchmark.folder))
                log_line(f"row {at_work[-1].name}: {at_work[-1].row.row.config} -> {at_work[-1].exp}")
            time.sleep(_POLL_SECONDS)
            for run in list(at_work):
                ended = run.has_ended()
                for line in run.new_lines():
                    print(f"  {run.name}: {line}", file=sys.stderr, flush=True)
                if ended:
                    at_work.remove(run)
                    benchmark.write_rows(runs)
                    _report(run, to_run, benchmark.tests, time.monotonic() - begun)
    except KeyboardInterrupt:
        for run in at_work:
            run.end()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(run: RowRun, runs: Sequence[RowRun], tests: Sequence[str], elapsed: float) -> None:
    """A line about a row that has ended, with the time left if it can be known: some row was trained this time."""
    ended = [each for each in runs if each.code is not None]
    trained = sum(each.trained for each in ended)
    left = len(runs) - len(ended)
    end = f"{len(ended)} of {len(runs)} rows"
    if left and trained:
        end += f"; {about(elapsed / trained * left)} left"
    if run.status == "failed":
        log_line(f"row {run.name}: failed with code {run.code}; see {run.log} ({end})")
    else:
        figures = row_figures(run.exp, tests[0])
        log_line(f"row {run.name}: done in {format_seconds(run.seconds)}{figures} ({end})")
