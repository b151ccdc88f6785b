"""Scoring of trial lists: tables in memory, the list, the score file, the log line.

A list may be larger than memory and has millions of lines, so it is read, looked up, scored and written in blocks, each
step by one call for the whole block; lines are split only to look up their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.text_lines import LineEnds, line_blocks
from minikaldi.command import CommandRun
from minikaldi.io import Reader
from minikaldi.ivector.vectors import IndexArray
from minikaldi.ivectorbin.vector_blocks import vector_blocks

BYTES_PER_BLOCK = 1 << 20
NOT_BLANK = bytes(set(range(256)) - set(b" \t\n\r\f\v"))
MISSING = -1

Score = Callable[[IndexArray, IndexArray], NDArray[np.float64]]


@dataclass
class VectorTable:
    """All vectors of a table.

    Attributes:
        row: row of each key.
        vectors: float32 (M, D).
    """

    row: dict[str, int]
    vectors: NDArray[np.float32]


@dataclass
class NamedRows:
    """The rows of a table by the bytes of their keys.

    Attributes:
        rows: row of each key.
        name: name of the table in messages.
    """

    rows: dict[bytes, int]
    name: str

    @classmethod
    def of(cls, row: dict[str, int], name: str) -> NamedRows:
        """The same from keys as text."""
        return cls({key.encode("utf-8", "surrogateescape"): number for key, number in row.items()}, name)

    def find(self, keys: list[bytes]) -> IndexArray:
        """Row of each key, (N,); `MISSING` if it is not in the table."""
        return np.fromiter(map(self.rows.get, keys, repeat(MISSING)), dtype=np.intp, count=len(keys))


@dataclass
class ScoreTotals:
    """The totals of a trial list, for the log.

    Attributes:
        num_done: trials scored.
        num_err: trials left out.
        total: sum of the scores.
        energy: sum of the squared scores.
    """

    num_done: int = 0
    num_err: int = 0
    total: float = 0.0
    energy: float = 0.0

    def add(self, scores: NDArray[np.float64]) -> None:
        """Add the scores of a block."""
        self.num_done += len(scores)
        self.total += float(scores.sum())
        self.energy += float(scores @ scores)

    def log_mean(self, run: CommandRun, what: str) -> None:
        """Log Kaldi's line about mean and standard deviation, if there are scores."""
        if self.num_done:
            mean = self.total / self.num_done
            deviation = np.sqrt(max(self.energy / self.num_done - mean**2, 0.0))
            run.log(f"Mean {what} was {mean:.6g}, standard deviation was {deviation:.6g}")


def read_vector_table(run: CommandRun, rspecifier: str, what: str) -> VectorTable:
    """Read all vectors of a table; `what` is their name in messages (`test`).

    Raises:
        KaldiError: the table is empty, a key is repeated, dimensions differ, or a vector holds NaN.
    """
    row: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    for block in vector_blocks(run, rspecifier):
        for key in block.keys:
            if key in row:
                raise KaldiError(f"{rspecifier}: Duplicate {what} iVector found for {key}")
            row[key] = len(row)
        vectors.append(block.vectors)
    if not vectors:
        raise KaldiError(f"{rspecifier}: No {what} iVectors present.")
    return VectorTable(row, np.concatenate(vectors))


@dataclass
class TrialScoring:
    """Scores a trial list of any length.

    Args:
        run: the command's surroundings.
        left: rows of the first table.
        right: rows of the second table.
        score: scores (N,) of rows (N,) of the first and (N,) of the second table.
        totals: their sums.
    """

    run: CommandRun
    left: NamedRows
    right: NamedRows
    score: Score
    totals: ScoreTotals = field(default_factory=ScoreTotals)

    def score_list(self, trials_rxfilename: str, scores_wxfilename: str) -> ScoreTotals:
        """Score the lines `key1 key2` of one file and write lines `key1 key2 score`, seven digits, to another.

        If a table lacks a key, the trial is counted and left out with a warning, as in Kaldi.

        Raises:
            KaldiError: a line does not have two fields.
        """
        with self.run.open_read(trials_rxfilename) as trials, self.run.open_write(scores_wxfilename) as out:
            for block in tidy_blocks(trials, trials_rxfilename):
                out.write(self._scored(block))
        return self.totals

    def _scored(self, block: bytes) -> bytes:
        keys = block.split()
        left, right = self.left.find(keys[0::2]), self.right.find(keys[1::2])
        missing = (left == MISSING) | (right == MISSING)
        if missing.any():
            self._warn(keys, left, np.flatnonzero(missing))
            kept = np.flatnonzero(~missing)
            block = b"".join([b"%b %b\n" % (keys[2 * trial], keys[2 * trial + 1]) for trial in kept])
            left, right = left[kept], right[kept]
        scores = self.score(left, right)
        self.totals.add(scores)
        # One format for the whole block: three times as fast as one for each line.
        return block.replace(b"%", b"%%").replace(b"\n", b" %.7g\n") % tuple(scores.tolist())

    def _warn(self, keys: list[bytes], left: IndexArray, trials: IndexArray) -> None:
        self.totals.num_err += len(trials)
        for trial in trials:
            first = left[trial] == MISSING
            key = keys[2 * trial] if first else keys[2 * trial + 1]
            table = self.left if first else self.right
            self.run.warning(f"Key {key.decode('utf-8', 'surrogateescape')} not present in {table.name}.")


def tidy_blocks(lines: Reader, name: str) -> Iterator[bytes]:
    """The lines of a trial list, some thousand at a time, each `key1 key2` with one space and a line end.

    Raises:
        KaldiError: a line does not have two fields; the text names file and line.
    """
    num_before, ends = 0, LineEnds(name, KaldiError)
    for block in line_blocks(lines, BYTES_PER_BLOCK):
        if not num_before:
            block = ends.without_mark(block)
        ends.note(block)
        if not block.endswith(b"\n"):
            block += b"\n"
        separators = block.translate(None, NOT_BLANK)
        num_lines = separators.count(b"\n")
        # With one space, a line has at most two keys; the right total then means two on each line.
        if separators != b" \n" * num_lines or len(block.split()) != 2 * num_lines:
            block = tidied(block, name, num_before)
        num_before += num_lines
        yield block


def tidied(block: bytes, name: str, num_before: int) -> bytes:
    """The same trials with one space between the keys, and no other blanks.

    Raises:
        KaldiError: a line does not have two fields.
    """
    tidy = []
    for number, line in enumerate(block.split(b"\n")[:-1], num_before + 1):
        keys = line.split()
        if len(keys) != 2:
            shown = line.decode("utf-8", "backslashreplace").rstrip()
            raise KaldiError(f"{name}: Bad line {number} in input (expected two fields: key1 key2): {shown}")
        tidy.append(b"%b %b\n" % (keys[0], keys[1]))
    return b"".join(tidy)
