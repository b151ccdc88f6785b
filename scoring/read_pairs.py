"""Strict reading of lists of pairs into arrays: trials, scores, and the pairs that are given to Kaldi's commands.

A list of ten million lines is read in seconds, since the fields of a good block of lines are only looked up in a table.
A block with a fault is read line by line, to find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.text_lines import number_of
from common.trial_forms import NUM_FIELDS, TrialForm, form_of
from common.trial_lines import no_trials, parse_trial
from scoring.columns import IdTable, LineBlock, decoded, encoded, line_blocks_of
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

    def add(self, numbers: NDArray[np.int64], enroll: Sequence[bytes], test: Sequence[bytes]) -> None:
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
    pairs, labels = _Pairs(path), []
    form: TrialForm | None = None
    for block in line_blocks_of(path):
        found = block.columns(NUM_FIELDS)
        if found and found[1]:
            form = form or form_of(decoded(found[1][:NUM_FIELDS]))
        is_target = _labels(found[1], form) if found and form else None
        if found and form and is_target is not None:
            enroll, test = (found[1][place::NUM_FIELDS] for place in (form.enroll_field, form.test_field))
            pairs.add(found[0], enroll, test)
        else:
            trials = []
            for number, fields in block.rows():
                form, trial = parse_trial(path, number, fields, form)
                trials.append(trial)
            is_target = np.array([trial.is_target for trial in trials], dtype=bool)
            enroll, test = encoded([trial.enroll for trial in trials]), encoded([trial.test for trial in trials])
            pairs.add(np.array([trial.number for trial in trials], dtype=np.int64), enroll, test)
        labels.append(is_target)
    if form is None:
        raise no_trials(path)
    return pairs.whole(), np.concatenate(labels)


def _labels(fields: Sequence[bytes], form: TrialForm) -> Labels | None:
    """Whether each trial is a target trial; None if a label is another word."""
    labels = fields[form.label_field :: NUM_FIELDS]
    is_target_of = dict(zip(encoded(list(form.labels)), form.labels.values(), strict=True))
    try:
        return np.fromiter(map(is_target_of.__getitem__, labels), bool, len(labels))
    except KeyError:
        return None


def score_columns(path: str | Path) -> tuple[PairList, Float64Array]:
    """The pairs of a score file and their scores, float64 (N,).

    Raises:
        InputError: see `scoring.trials.read_scores`.
    """
    pairs, values = _Pairs(path), [np.zeros(0)]
    for block in line_blocks_of(path):
        numbers, fields = _fields_of(path, block, 3, "`enroll test score`")
        pairs.add(numbers, fields[0::3], fields[1::3])
        values.append(_values(path, numbers, fields))
    scores = np.concatenate(values)
    if not len(scores):
        raise InputError(f"{path}: no scores; the step that writes it has failed: see its log")
    return pairs.whole(), scores


def _values(path: str | Path, numbers: NDArray[np.int64], fields: Sequence[bytes]) -> Float64Array:
    """The numbers in the third fields, as Kaldi reads them."""
    texts = fields[2::3]
    if b"_" not in b" ".join(texts):  # Python alone accepts 1_000
        try:
            values = np.fromiter(map(float, texts), np.float64, len(texts))
        except ValueError:
            pass
        else:
            if not np.isnan(values).any():
                return values
    for place, text in enumerate(decoded(texts)):
        if np.isnan(number_of(text)):
            trial = " ".join(decoded(fields[3 * place : 3 * place + 2]))
            raise InputError(f"{path}:{numbers[place]}: score {text!r} of trial `{trial}` is not a number")
    return np.array([number_of(text) for text in decoded(texts)])


def printed_pairs(path: str | Path) -> PairList:
    """The pairs of lines `enroll test`.

    Raises:
        InputError: see `scoring.trials.read_printed_pairs`.
    """
    pairs = _Pairs(path)
    for block in line_blocks_of(path):
        numbers, fields = _fields_of(path, block, 2, "`enroll test`")
        pairs.add(numbers, fields[0::2], fields[1::2])
    return pairs.whole()


def _fields_of(path: str | Path, block: LineBlock, count: int, expected: str) -> tuple[NDArray[np.int64], list[bytes]]:
    """`LineBlock.columns` of `count` fields.

    Raises:
        InputError: a line has another number of fields.
    """
    if found := block.columns(count):
        return found
    rows = list(block.rows())
    for number, fields in rows:
        if len(fields) != count:
            text = f"{len(fields)} fields in {' '.join(fields)!r}"
            raise InputError(f"{path}:{number}: found {text}, expected {expected}")
    return np.array([number for number, _ in rows]), [field for _, fields in rows for field in encoded(fields)]
