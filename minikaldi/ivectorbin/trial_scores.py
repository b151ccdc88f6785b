"""What the commands that score trial lists share: tables in memory, the list, the score file, the log line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.command import Run
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_VECTOR


@dataclass
class VectorTable:
    """All vectors of a table: `row` of each key, and `vectors`, float32 (M, D)."""

    row: dict[str, int]
    vectors: NDArray[np.float32]


@dataclass
class TrialRows:
    """The trials whose keys are both there: `pairs` as in the list, their rows (N,), and how many were left out."""

    pairs: list[tuple[str, str]]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    num_err: int


def read_table(run: Run, rspecifier: str, what: str) -> VectorTable:
    """All vectors of a table; `what` names them in messages (`test`).

    Raises:
        KaldiError: there are none, a key comes twice, or dimensions differ.
    """
    row: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    with run.sequential(rspecifier, FLOAT_VECTOR) as entries:
        for key, vector in entries:
            if key in row:
                raise KaldiError(f"{rspecifier}: Duplicate {what} iVector found for {key}")
            if vectors and vector.size != vectors[0].size:
                raise KaldiError(f"{rspecifier}: {key}: {vector.size} dimensions, those before {vectors[0].size}")
            row[key] = len(vectors)
            vectors.append(vector)
    if not vectors:
        raise KaldiError(f"{rspecifier}: No {what} iVectors present.")
    return VectorTable(row, np.array(vectors))


def read_trial_rows(
    run: Run, rxfilename: str, left: Mapping[str, int], right: Mapping[str, int], left_name: str, right_name: str
) -> TrialRows:
    """Read lines `key1 key2` and find both in the tables; absent ones are warned of and counted, as Kaldi does.

    Raises:
        KaldiError: a line has not two fields.
    """
    pairs, left_rows, right_rows, num_err = [], [], [], 0
    with run.open_read(rxfilename) as lines:
        for number, raw in enumerate(lines, 1):
            fields = raw.decode("utf-8", "surrogateescape").split()
            if len(fields) != 2:
                line = raw.decode("utf-8", "backslashreplace").rstrip()
                raise KaldiError(f"{rxfilename}: Bad line {number} in input (expected two fields: key1 key2): {line}")
            left_row, right_row = left.get(fields[0]), right.get(fields[1])
            if left_row is None:
                run.warning(f"Key {fields[0]} not present in {left_name}.")
            elif right_row is None:
                run.warning(f"Key {fields[1]} not present in {right_name}.")
            else:
                pairs.append((fields[0], fields[1]))
                left_rows.append(left_row)
                right_rows.append(right_row)
                continue
            num_err += 1
    return TrialRows(pairs, np.array(left_rows, dtype=np.intp), np.array(right_rows, dtype=np.intp), num_err)


def write_trial_scores(run: Run, wxfilename: str, trials: TrialRows, scores: NDArray[np.float64]) -> None:
    """Write lines `key1 key2 score`, seven digits."""
    with run.open_write(wxfilename) as out:
        for start in range(0, len(scores), 65536):  # the text of a part of the list at a time
            block = slice(start, start + 65536)
            lines = [
                f"{key1} {key2} {score:.7g}\n"
                for (key1, key2), score in zip(trials.pairs[block], scores[block].tolist(), strict=True)
            ]
            out.write("".join(lines).encode("utf-8", "surrogateescape"))


def log_mean(run: Run, what: str, scores: NDArray[np.float64]) -> None:
    """Kaldi's line on mean and standard deviation, where there are scores."""
    if len(scores):
        run.log(f"Mean {what} was {scores.mean():.6g}, standard deviation was {scores.std():.6g}")
