"""Trial lists and score files: strict reading, and one score for every trial.

A trial list has lines `enroll_id test_id target|nontarget` or, as the VoxCeleb lists, `1|0 enroll_id test_id`; a score
file has lines `enroll_id test_id score`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScoringError

logger = logging.getLogger(__name__)

Pair = tuple[str, str]

LABELS = {"target": True, "nontarget": False}
VOXCELEB_LABELS = {"1": True, "0": False}


@dataclass(frozen=True)
class Trials:
    """Pairs to compare, in the order of the file. `is_target`: bool (N,)."""

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
    """Read a trial list in either form; the first line decides which, and every other line must follow it.

    Raises:
        ScoringError: a line has not three fields, an unknown label, or a pair that an earlier line had; or the file is
            empty. The text names file and line.
    """
    line_of: dict[Pair, int] = {}
    labels: list[bool] = []
    kaldi_form: bool | None = None
    for number, fields in _three_fields(path, "`enroll test target|nontarget` or `1|0 enroll test`"):
        if kaldi_form is None:
            kaldi_form = fields[2] in LABELS or fields[0] not in VOXCELEB_LABELS
        pair, label = _parse_trial(fields, kaldi_form, f"{path}:{number}")
        _refuse_duplicate(line_of, pair, path, number)
        labels.append(label)
    if not labels:
        raise ScoringError(f"{path}: no trials; expected lines `enroll test target|nontarget`")
    return Trials(list(line_of), np.array(labels, dtype=bool))


def _parse_trial(fields: list[str], kaldi_form: bool, where: str) -> tuple[Pair, bool]:
    known = LABELS if kaldi_form else VOXCELEB_LABELS
    text = fields[2] if kaldi_form else fields[0]
    if text not in known:
        field = "third" if kaldi_form else "first"
        raise ScoringError(f"{where}: label {text!r} in the {field} field is unknown; expected {' or '.join(known)}")
    pair = (fields[0], fields[1]) if kaldi_form else (fields[1], fields[2])
    return pair, known[text]


def write_trials(path: str | Path, trials: Trials) -> None:
    """Write a trial list in Kaldi's form, under a temporary name until it is whole."""
    labels = ("target" if same else "nontarget" for same in trials.is_target)
    write_lines(path, (f"{enroll} {test} {label}" for (enroll, test), label in zip(trials.pairs, labels, strict=True)))


def read_scores(path: str | Path) -> dict[Pair, float]:
    """Read a score file.

    Raises:
        ScoringError: a line has not three fields, a score that is no number or NaN, or a pair that an earlier line had;
            or the file is empty. The text names file and line.
    """
    scores: dict[Pair, float] = {}
    line_of: dict[Pair, int] = {}
    for number, (enroll, test, text) in _three_fields(path, "`enroll test score`"):
        try:
            score = math.nan if "_" in text else float(text)  # Python alone takes 1_0 for a number
        except ValueError:
            score = math.nan
        if math.isnan(score):
            raise ScoringError(f"{path}:{number}: score {text!r} of trial `{enroll} {test}` is not a number")
        _refuse_duplicate(line_of, (enroll, test), path, number)
        scores[enroll, test] = score
    if not scores:
        raise ScoringError(f"{path}: no scores; the step that writes it has failed: see its log")
    return scores


def write_scores(path: str | Path, trials: Trials, scores: NDArray[np.floating]) -> None:
    """Write scores (N,) of the trials, seven digits as Kaldi does, under a temporary name until the file is whole."""
    pairs = zip(trials.pairs, scores, strict=True)
    write_lines(path, (f"{enroll} {test} {score:.7g}" for (enroll, test), score in pairs))


def align(scores: Mapping[Pair, float], trials: Trials, name: str = "scores") -> NDArray[np.float64]:
    """The scores in the order of the trials, (N,).

    Args:
        scores: by pair; pairs that are in no trial are left out, and their number is said.
        trials: the list.
        name: what to call the scores in a message: the file's name.

    Raises:
        ScoringError: trials without a score; the text has their count and the first.
    """
    missing = [pair for pair in trials.pairs if pair not in scores]
    if missing:
        raise ScoringError(
            f"{name}: {len(missing)} of {len(trials)} trials have no score (first: `{missing[0][0]} {missing[0][1]}`); "
            "look for failed utterances in the log of the extraction and of the scoring"
        )
    if len(scores) > len(trials):
        logger.warning("%s: %d scores belong to no trial and are left out", name, len(scores) - len(trials))
    return np.array([scores[pair] for pair in trials.pairs], dtype=np.float64)


def write_lines(path: str | Path, lines: Iterator[str]) -> None:
    """Write a text file whole or not at all."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as out:
        out.writelines(f"{line}\n" for line in lines)
    partial.replace(target)


def _refuse_duplicate(line_of: dict[Pair, int], pair: Pair, path: str | Path, number: int) -> None:
    first = line_of.setdefault(pair, number)
    if first != number:
        trial = f"trial `{pair[0]} {pair[1]}`"
        raise ScoringError(f"{path}:{number}: {trial} is already on line {first}; remove one of them")


def _three_fields(path: str | Path, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of the lines that are not blank; Windows line ends are accepted, and said once."""
    carriage_returns = False
    with Path(path).open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if line.endswith("\r\n") and not carriage_returns:
                carriage_returns = True
                logger.warning("%s: line ends are CRLF; read as if they were LF", path)
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 3:
                found = f"{len(fields)} fields in {line.strip()!r}"
                raise ScoringError(f"{path}:{number}: found {found}, expected {expected}")
            yield number, fields
