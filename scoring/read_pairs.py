"""Strict reading of lists of pairs into arrays: trials, scores, and the pairs that are given to Kaldi's commands.

A list of ten million lines is read in seconds, since the fields of a good block of lines are only looked up in a table.
A block with a fault is read line by line, to find it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.text_lines import number_of
from common.trial_forms import NUM_FIELDS, TrialForm, form_of
from common.trial_lines import no_trials, parse_trial
from scoring.columns import Columns, Fields, LineBlock, decoded, line_blocks_of
from scoring.id_table import IdTable
from scoring.pairs import PairList, first_repeated

Float64Array = NDArray[np.float64]
Labels = NDArray[np.bool_]


class _Pairs:
    """Pairs that are collected from a file, with the numbers of their lines."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._table = IdTable()
        self._numbers: list[NDArray[np.int64]] = []
        self._enroll = [np.zeros(0, np.int32)]
        self._test = [np.zeros(0, np.int32)]

    def add(self, numbers: NDArray[np.int64], enroll: Fields, test: Fields) -> None:
        """Add the pairs of some lines."""
        self._numbers.append(numbers)
        self._enroll.append(self._table.numbers(enroll))
        self._test.append(self._table.numbers(test))

    def whole(self) -> PairList:
        """All pairs.

        Raises:
            InputError: a pair appears twice.
        """
        pairs = PairList(self._table.ids(), np.concatenate(self._enroll), np.concatenate(self._test))
        if repeated := first_repeated(pairs):
            again, first = (int(np.concatenate(self._numbers)[place]) for place in repeated)
            trial = " ".join(pairs[repeated[0]])
            raise InputError(f"{self._path}:{again}: trial `{trial}` is already on line {first}; remove one of them")
        return pairs


def trial_columns(path: str | Path) -> tuple[PairList, Labels]:
    """The pairs of a trial list in either form, and whether each is a target trial: bool (N,).

    Raises:
        InputError: see `scoring.trials.read_trials`.
    """
    pairs, labels = _Pairs(path), [np.zeros(0, dtype=bool)]
    form: TrialForm | None = None
    for block in line_blocks_of(path):
        before = form
        for part in block.columns(NUM_FIELDS) or _refuse_trials(path, block, before):
            if not len(part):  # blank lines
                continue
            form = form or form_of(part.row(0))
            is_target = _labels(part.fields(form.label_field), form)
            if is_target is None:
                _refuse_trials(path, block, before)
            pairs.add(part.numbers, part.fields(form.enroll_field), part.fields(form.test_field))
            labels.append(is_target)
    if form is None:
        raise no_trials(path)
    return pairs.whole(), np.concatenate(labels)


def _refuse_trials(path: str | Path, block: LineBlock, form: TrialForm | None) -> NoReturn:
    """Raise the error for the first line of a block that does not have the form of the list."""
    for number, fields in block.rows():
        form, _ = parse_trial(path, number, fields, form)
    raise InputError(f"{path}:{block.first}: the lines from here on cannot be read as trials")


def _labels(fields: Fields, form: TrialForm) -> Labels | None:
    """Whether each trial is a target trial; None if a label is another word."""
    is_target, is_known = np.zeros(len(fields), dtype=bool), np.zeros(len(fields), dtype=bool)
    for label, means_target in form.labels.items():
        has_it = fields.equal(label.encode())
        is_known |= has_it
        if means_target:
            is_target |= has_it
    return is_target if is_known.all() else None


def score_columns(path: str | Path) -> tuple[PairList, Float64Array]:
    """The pairs of a score file and their scores, float64 (N,).

    Raises:
        InputError: see `scoring.trials.read_scores`.
    """
    pairs, values = _Pairs(path), [np.zeros(0)]
    for block in line_blocks_of(path):
        for part in block.columns(3) or _refuse_other(path, block, 3, "`enroll test score`"):
            pairs.add(part.numbers, part.fields(0), part.fields(1))
            values.append(_values(path, part))
    scores = np.concatenate(values)
    if not len(scores):
        raise InputError(f"{path}: no scores; the step that writes it has failed: see its log")
    return pairs.whole(), scores


def _values(path: str | Path, lines: Columns) -> Float64Array:
    """The numbers in the third fields, as Kaldi reads them."""
    texts = lines.fields(2).texts()
    if b"_" not in b" ".join(texts):  # Python alone accepts 1_000
        try:
            values = np.fromiter(map(float, texts), np.float64, len(texts))
        except ValueError:
            pass
        else:
            if not np.isnan(values).any():
                return values
    values = np.array([number_of(text) for text in decoded(texts)])
    if np.isnan(values).any():
        place = int(np.argmax(np.isnan(values)))
        enroll, test, score = lines.row(place)
        where = f"{path}:{lines.numbers[place]}"
        raise InputError(f"{where}: score {score!r} of trial `{enroll} {test}` is not a number")
    return values


def printed_pairs(path: str | Path) -> PairList:
    """The pairs of lines `enroll test`.

    Raises:
        InputError: see `scoring.trials.read_printed_pairs`.
    """
    pairs = _Pairs(path)
    for block in line_blocks_of(path):
        for part in block.columns(2) or _refuse_other(path, block, 2, "`enroll test`"):
            pairs.add(part.numbers, part.fields(0), part.fields(1))
    return pairs.whole()


def _refuse_other(path: str | Path, block: LineBlock, count: int, expected: str) -> NoReturn:
    """Raise the error for the first line of a block that does not have `count` fields."""
    number, fields = next((number, fields) for number, fields in block.rows() if len(fields) != count)
    text = f"{len(fields)} fields in {' '.join(fields)!r}"
    raise InputError(f"{path}:{number}: found {text}, expected {expected}")
