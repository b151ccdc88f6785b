"""Trial lists and score files: strict reading, and one score for every trial.

A trial list has lines `enroll_id test_id target|nontarget` or, as the lists of VoxCeleb, `1|0 enroll_id test_id`. A
score file has lines `enroll_id test_id score`. As a program, for the steps:

    python3 -m scoring.trials --pairs <trials>          prints `enroll_id test_id` for ivector-plda-scoring
    python3 -m scoring.trials --check <scores> <pairs>  fails if one of these pairs has no score
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from common.text_lines import number_of, numbered_fields
from common.trial_lines import read_trial_lines, trial_line
from common.whole_files import write_files, write_stdout

logger = logging.getLogger(__name__)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Trials:
    """Pairs to compare.

    Attributes:
        pairs: N pairs (enroll_id, test_id), in the order of the file.
        is_target: bool (N,), whether both are of one speaker.
    """

    pairs: list[Pair]
    is_target: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def num_targets(self) -> int:
        """Trials of the same speaker."""
        return int(self.is_target.sum())

    @property
    def num_nontargets(self) -> int:
        """Trials of two speakers."""
        return len(self) - self.num_targets


def read_trials(path: str | Path) -> Trials:
    """Read a trial list in Kaldi's or VoxCeleb's form.

    Raises:
        InputError: a line of another form than the first, a pair that an earlier line has, or no trial. The text names
            file and line.
    """
    line_of: dict[Pair, int] = {}
    labels: list[bool] = []
    for trial in read_trial_lines(path):
        _refuse_duplicate(line_of, (trial.enroll, trial.test), path, trial.number)
        labels.append(trial.is_target)
    return Trials(list(line_of), np.array(labels, dtype=bool))


def read_printed_pairs(path: str | Path) -> Trials:
    """Read lines `enroll test`, as this module prints them; all trials are nontargets.

    Raises:
        InputError: a line without two fields, or a pair that an earlier line has.
    """
    line_of: dict[Pair, int] = {}
    for number, (enroll, test) in _fields(path, 2, "`enroll test`"):
        _refuse_duplicate(line_of, (enroll, test), path, number)
    return Trials(list(line_of), np.zeros(len(line_of), dtype=bool))


def write_trials(path: str | Path, trials: Trials) -> None:
    """Write a trial list in Kaldi's form; the file is whole or the old one."""
    rows = zip(trials.pairs, trials.is_target, strict=True)
    write_files([(str(path), (trial_line(enroll, test, bool(target)) for (enroll, test), target in rows))])


def read_scores(path: str | Path) -> dict[Pair, float]:
    """Read a score file.

    Raises:
        InputError: a line without three fields, a score that is not a number, a pair that an earlier line has, or an
            empty file. The text names file and line.
    """
    scores: dict[Pair, float] = {}
    line_of: dict[Pair, int] = {}
    for number, (enroll, test, text) in _fields(path, 3, "`enroll test score`"):
        score = number_of(text)
        if math.isnan(score):
            raise InputError(f"{path}:{number}: score {text!r} of trial `{enroll} {test}` is not a number")
        _refuse_duplicate(line_of, (enroll, test), path, number)
        scores[enroll, test] = score
    if not scores:
        raise InputError(f"{path}: no scores; the step that writes it has failed: see its log")
    return scores


def write_scores(path: str | Path, trials: Trials, scores: NDArray[np.floating]) -> None:
    """Write scores (N,) of the trials with seven digits, as Kaldi does; the file is whole or the old one."""
    pairs = zip(trials.pairs, scores, strict=True)
    write_files([(str(path), (f"{enroll} {test} {score:.7g}" for (enroll, test), score in pairs))])


def align(scores: Mapping[Pair, float], trials: Trials, name: str = "scores") -> NDArray[np.float64]:
    """The scores in the order of the trials.

    Args:
        scores: score of each pair; the number of pairs that belong to no trial is logged.
        trials: the N trials.
        name: name of the scores in messages, as the file's.

    Returns:
        float64 (N,).

    Raises:
        InputError: trials without a score; the text has their count and the first.
    """
    missing = [pair for pair in trials.pairs if pair not in scores]
    if missing:
        raise InputError(
            f"{name}: {len(missing)} of {len(trials)} trials have no score (first: `{missing[0][0]} {missing[0][1]}`); "
            "look for failed utterances in the log of the extraction and of the scoring"
        )
    if len(scores) > len(trials):
        logger.warning("%s: %d scores belong to no trial and are left out", name, len(scores) - len(trials))
    return np.array([scores[pair] for pair in trials.pairs], dtype=np.float64)


def _refuse_duplicate(line_of: dict[Pair, int], pair: Pair, path: str | Path, number: int) -> None:
    first = line_of.setdefault(pair, number)
    if first != number:
        trial = f"trial `{pair[0]} {pair[1]}`"
        raise InputError(f"{path}:{number}: {trial} is already on line {first}; remove one of them")


def _fields(path: str | Path, count: int, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and the `count` fields of the lines that are not blank."""
    for number, fields in numbered_fields(path, InputError):
        if len(fields) != count:
            found = f"{len(fields)} fields in {' '.join(fields)!r}"
            raise InputError(f"{path}:{number}: found {found}, expected {expected}")
        yield number, fields


def main(argv: Sequence[str] | None = None) -> int:
    """Print the pairs of a trial list, or check that each has a score."""
    parser = Parser(prog="python3 -m scoring.trials", description="Trial lists, for the steps.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--pairs", metavar="TRIALS", help="print lines `enroll test` of a list in either form")
    action.add_argument("--check", nargs=2, metavar=("SCORES", "PAIRS"), help="fail if one of PAIRS has no score")
    args = parser.parse_args(argv)
    if args.pairs:
        write_stdout(" ".join(pair) for pair in read_trials(args.pairs).pairs)
    else:
        scores, pairs = args.check
        align(read_scores(scores), read_printed_pairs(pairs), scores)
    return 0


if __name__ == "__main__":
    run_program(main)
