"""What the commands that score trial lists share: tables in memory, the list, the score file, the log line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from minikaldi.command import Run
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_VECTOR
from minikaldi.ivector.vectors import require_finite

NamedRows = tuple[Mapping[str, int], str]

TRIALS_PER_BLOCK = 65536  # read, scored and written at once: memory does not grow with the list

@dataclass
class VectorTable:
    """All vectors of a table: `row` of each key, and `vectors`, float32 (M, D)."""

    row: dict[str, int]
    vectors: NDArray[np.float32]


@dataclass
class TrialBlock:
    """Trials whose keys are both there: `pairs` as in the list, their rows in the two tables, both (N,)."""

    pairs: list[tuple[str, str]]
    left: NDArray[np.intp]
    right: NDArray[np.intp]


@dataclass
class ScoreTotals:
    """Trials scored, trials left out, and the sums that give the log's mean and deviation."""

    num_done: int = 0
    num_err: int = 0
    total: float = 0.0
    energy: float = 0.0

    def add(self, scores: NDArray[np.float64]) -> None:
        """Take in the scores of a block."""
        self.num_done += len(scores)
        self.total += float(scores.sum())
        self.energy += float(scores @ scores)

    def log_mean(self, run: Run, what: str) -> None:
        """Kaldi's line on mean and standard deviation, where there are scores."""
        if self.num_done:
            mean = self.total / self.num_done
            deviation = np.sqrt(max(self.energy / self.num_done - mean**2, 0.0))
            run.log(f"Mean {what} was {mean:.6g}, standard deviation was {deviation:.6g}")


def read_table(run: Run, rspecifier: str, what: str) -> VectorTable:
    """All vectors of a table; `what` names them in messages (`test`).

    Raises:
        KaldiError: there are none, a key comes twice, dimensions differ, or a vector holds NaN.
    """
    row: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    with run.sequential(rspecifier, FLOAT_VECTOR) as entries:
        for key, vector in entries:
            if key in row:
                raise KaldiError(f"{rspecifier}: Duplicate {what} iVector found for {key}")
            if vectors and vector.size != vectors[0].size:
                raise KaldiError(f"{rspecifier}: {key}: {vector.size} dimensions, those before {vectors[0].size}")
            require_finite(f"{rspecifier}: {key}", vector)
            row[key] = len(vectors)
            vectors.append(vector)
    if not vectors:
        raise KaldiError(f"{rspecifier}: No {what} iVectors present.")
    return VectorTable(row, np.array(vectors))


def score_trials(
    run: Run,
    trials_rxfilename: str,
    scores_wxfilename: str,
    tables: tuple[NamedRows, NamedRows],
    score: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
) -> ScoreTotals:
    """Score a trial list of any length, a block at a time.

    Args:
        run: the command's surroundings.
        trials_rxfilename: lines `key1 key2`.
        scores_wxfilename: gets lines `key1 key2 score`, seven digits.
        tables: rows by key, and the name for messages, of the two tables.
        score: scores (N,) of rows (N,) of the first and (N,) of the second table.

    Raises:
        KaldiError: a line has not two fields.
    """
    totals = ScoreTotals()
    with run.open_read(trials_rxfilename) as lines, run.open_write(scores_wxfilename) as out:
        for block in trial_blocks(run, lines, trials_rxfilename, tables, totals):
            scores = score(block.left, block.right)
            totals.add(scores)
            rows = zip(block.pairs, scores.tolist(), strict=True)
            text = "".join(f"{key1} {key2} {value:.7g}\n" for (key1, key2), value in rows)
            out.write(text.encode("utf-8", "surrogateescape"))
    return totals


def trial_blocks(
    run: Run, lines: Iterable[bytes], name: str, tables: tuple[NamedRows, NamedRows], totals: ScoreTotals
) -> Iterator[TrialBlock]:
    """The trials in blocks; keys that a table lacks are warned of and counted in `totals`, as Kaldi does."""
    (left, left_name), (right, right_name) = tables
    numbered = enumerate(lines, 1)
    while part := list(islice(numbered, TRIALS_PER_BLOCK)):
        pairs, left_rows, right_rows = [], [], []
        for number, raw in part:
            key1, key2 = parse_trial(raw, f"{name}: Bad line {number} in input")
            if key1 not in left:
                run.warning(f"Key {key1} not present in {left_name}.")
            elif key2 not in right:
                run.warning(f"Key {key2} not present in {right_name}.")
            else:
                pairs.append((key1, key2))
                left_rows.append(left[key1])
                right_rows.append(right[key2])
        totals.num_err += len(part) - len(pairs)
        yield TrialBlock(pairs, np.array(left_rows, dtype=np.intp), np.array(right_rows, dtype=np.intp))


def parse_trial(raw: bytes, where: str) -> tuple[str, str]:
    """The two keys of a line.

    Raises:
        KaldiError: it has not two fields.
    """
    fields = raw.decode("utf-8", "surrogateescape").split()
    if len(fields) != 2:
        line = raw.decode("utf-8", "backslashreplace").rstrip()
        raise KaldiError(f"{where} (expected two fields: key1 key2): {line}")
    return fields[0], fields[1]
