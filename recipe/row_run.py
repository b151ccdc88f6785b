"""One row of a benchmark while it runs: ./pipeline.sh, with its output in a log."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from recipe.benchmark_rows import ChosenRow

BENCHMARK_NAME = "PIPELINE_BENCHMARK"
"""Environment variable: the benchmark that a run belongs to, for the ledger."""
LEDGER = "PIPELINE_LEDGER"
"""Environment variable: the ledger that a run writes to."""
_STAGE_LINE = re.compile(r"[0-9:]{8} stage [0-9]+(/[0-9]+)?: (?!.*: up to date$)")
_TRAINING_LINE = re.compile(r"[0-9:]{8} stage 6/[0-9]+: ")
_END_SECONDS = 300.0  # more than the guard of a run takes to end everything
_LAST_LINES = 12


class RowRun:
    """A row and its run.

    Args:
        row: the row.
        folder: of the benchmark.
        words: options of ./pipeline.sh.
    """

    def __init__(self, row: ChosenRow, folder: Path, words: Sequence[str]) -> None:
        self.row, self.name = row, row.name
        self.exp = folder / row.name
        self.log = folder / "log" / f"{row.name}.log"
        self.status: Literal["missing", "done", "failed"] = "missing"
        self.code: int | None = None
        self.seconds = 0.0
        self.trained = False  # in this run
        self._words = list(words)
        self._process: subprocess.Popen[bytes] | None = None
        self._begun, self._read = 0.0, 0

    def start(self, cores: int, benchmark: str, ledger: Path) -> None:
        """Begin; the log of earlier runs is kept, this one comes after it.

        Args:
            cores: that it may use.
            benchmark: its name.
            ledger: where its results go.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "PIPELINE_CORES": str(cores), BENCHMARK_NAME: benchmark, LEDGER: str(ledger.absolute())}
        self._begun = time.monotonic()
        with self.log.open("ab") as log:
            self._read = log.tell()
            self._process = subprocess.Popen(
                ["./pipeline.sh", *self._words], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def has_ended(self) -> bool:
        """Whether it has ended; then its status, code and seconds are known."""
        if self._process is None or self._process.poll() is None:
            return False
        self.code, self.seconds = self._process.returncode, time.monotonic() - self._begun
        self.status = "done" if self.code == 0 else "failed"
        return True

    def end(self) -> None:
        """Ask it to end, and wait for it: training saves first."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_END_SECONDS)

    def new_lines(self) -> list[str]:
        """The beginnings and ends of stages in the log since the last call; a line without an end is read later."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = whole.decode(errors="replace").splitlines()
        self.trained = self.trained or any(map(_TRAINING_LINE.match, lines))
        return [line for line in lines if _STAGE_LINE.match(line)]

    def last_lines(self) -> list[str]:
        """The end of the log."""
        return self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
