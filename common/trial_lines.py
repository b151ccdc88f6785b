"""The lines of trial lists in Kaldi's or VoxCeleb's form: what is read of one, and how one is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError
from common.text_lines import Warn, numbered_fields
from common.trial_forms import EITHER_FORM, NUM_FIELDS, TrialForm, form_of

_PLACES = ("first", "second", "third")


class TrialLine(NamedTuple):
    """One line of a trial list.

    Attributes:
        enroll: the enrolment utterance or model, as the list names it.
        test: the test utterance, as the list names it.
        is_target: whether both are of one speaker.
        number: the line's number, from 1.
    """

    enroll: str
    test: str
    is_target: bool
    number: int


def read_trial_lines(path: Path | str, warn: Warn | None = None) -> Iterator[TrialLine]:
    """Read a trial list; the first line decides its form, and every other line must have the same form.

    Args:
        path: the list; blank lines are skipped.
        warn: called with each report on its line ends; by default the reports are logged.

    Raises:
        InputError: a line of another form, no trial at all, or UTF-16. The text names file and line.
        OSError: the file cannot be read.
    """
    form: TrialForm | None = None
    for number, fields in numbered_fields(path, InputError, warn):
        form, trial = parse_trial(path, number, fields, form)
        yield trial
    if form is None:
        raise no_trials(path)


def parse_trial(
    path: Path | str, number: int, fields: Sequence[str], form: TrialForm | None
) -> tuple[TrialForm, TrialLine]:
    """The form of a list and the trial on one of its lines.

    Args:
        path: the list, for messages.
        number: number of the line.
        fields: its fields.
        form: the form of the lines before; None: there were none.

    Raises:
        InputError: the line has another form. The text names file and line.
    """
    found = form or (form_of(fields) if len(fields) == NUM_FIELDS else None)
    trial = found.parse(fields) if found else None
    if found is None or trial is None:
        raise InputError(f"{path}:{number}: {_unlike(fields, form)}")
    return found, TrialLine(*trial, number)


def no_trials(path: Path | str) -> InputError:
    """The error for a list without a line."""
    return InputError(f"{path}: no trials; expected lines {EITHER_FORM}")


def _unlike(fields: Sequence[str], form: TrialForm | None) -> str:
    """What is wrong with a line of a list of that form; None: it is the first line."""
    expected = f"expected {form.example} as on the first line" if form else f"expected {EITHER_FORM}"
    if len(fields) != NUM_FIELDS:
        return f"found {len(fields)} fields in {' '.join(fields)!r}, {expected}"
    if form is None:
        return f"found {' '.join(fields)!r}, {expected}"
    return f"found label {fields[form.label_field]!r} in the {_PLACES[form.label_field]} field, {expected}"


def trial_line(enroll: str, test: str, is_target: bool) -> str:
    """A trial as a line in Kaldi's form: `enroll test target|nontarget`."""
    return f"{enroll} {test} {'target' if is_target else 'nontarget'}"
