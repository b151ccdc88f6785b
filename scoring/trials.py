"""Trial lists and score files: strict reading, and one score for every trial.

A trial list has lines `enroll_id test_id target|nontarget` or, as the lists of VoxCeleb, `1|0 enroll_id test_id`. A
score file has lines `enroll_id test_id score`. As a program, for the steps:

    python3 -m scoring.trials --pairs <trials>          prints `enroll_id test_id` for ivector-plda-scoring
    python3 -m scoring.trials --check <scores> <pairs>  fails if one of these pairs has no score
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, run_program
from common.trial_lines import trial_line
from common.whole_files import write_files, write_stdout
from scoring.pairs import PairList, places_in
from scoring.read_pairs import printed_pairs, score_columns, trial_columns

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trials:
    """Pairs to compare.

    Attributes:
        pairs: N pairs (enroll_id, test_id), in the order of the file.
        is_target: bool (N,), whether both are of one speaker.
    """

    pairs: PairList
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


@dataclass(frozen=True)
class ScoredPairs:
    """The scores of a file.

    Attributes:
        pairs: N pairs (enroll_id, test_id), in the order of the file.
        values: float64 (N,).
    """

    pairs: PairList
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pairs)


def read_trials(path: str | Path) -> Trials:
    """Read a trial list in Kaldi's or VoxCeleb's form.

    Raises:
        InputError: a line of another form than the first, a pair that an earlier line has, or no trial. The text names
            file and line.
    """
    return Trials(*trial_columns(path))


def read_printed_pairs(path: str | Path) -> Trials:
    """Read lines `enroll test`, as this module prints them; all trials are nontargets.

    Raises:
        InputError: a line without two fields, or a pair that an earlier line has.
    """
    pairs = printed_pairs(path)
    return Trials(pairs, np.zeros(len(pairs), dtype=bool))


def write_trials(path: str | Path, trials: Trials) -> None:
    """Write a trial list in Kaldi's form; the file is whole or the old one."""
    rows = zip(trials.pairs, trials.is_target, strict=True)
    write_files([(str(path), (trial_line(enroll, test, bool(target)) for (enroll, test), target in rows))])


def read_scores(path: str | Path) -> ScoredPairs:
    """Read a score file.

    Raises:
        InputError: a line without three fields, a score that is not a number, a pair that an earlier line has, or an
            empty file. The text names file and line.
    """
    return ScoredPairs(*score_columns(path))


def write_scores(path: str | Path, trials: Trials, scores: NDArray[np.floating]) -> None:
    """Write scores (N,) of the trials with seven digits, as Kaldi does; the file is whole or the old one."""
    pairs = zip(trials.pairs, scores, strict=True)
    write_files([(str(path), (f"{enroll} {test} {score:.7g}" for (enroll, test), score in pairs))])


def align(scores: ScoredPairs, trials: Trials, name: str = "scores") -> NDArray[np.float64]:
    """The scores in the order of the trials.

    Args:
        scores: the scores; the number of pairs that belong to no trial is logged.
        trials: the N trials.
        name: name of the scores in messages, as the file's.

    Returns:
        float64 (N,).

    Raises:
        InputError: trials without a score; the text has their count and the first.
    """
    places = places_in(scores.pairs, trials.pairs)
    missing = np.flatnonzero(places < 0)
    if len(missing):
        enroll, test = trials.pairs[int(missing[0])]
        raise InputError(
            f"{name}: {len(missing)} of {len(trials)} trials have no score (first: `{enroll} {test}`); "
            "look for failed utterances in the log of the extraction and of the scoring"
        )
    if len(scores) > len(trials):
        logger.warning("%s: %d scores belong to no trial and are left out", name, len(scores) - len(trials))
    return scores.values[places]


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
