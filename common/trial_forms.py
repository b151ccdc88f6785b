"""The two forms of a line in a trial list: Kaldi's and that of VoxCeleb.

A list has one form: the first line determines it, and every other line must have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NUM_FIELDS = 3


@dataclass(frozen=True)
class TrialForm:
    """The form of a line.

    Attributes:
        example: the form, for messages.
        label_field: field of the label, from 0.
        enroll_field: field of the enrolment, from 0.
        test_field: field of the test, from 0.
        labels: label -> whether it means a target trial.
    """

    example: str
    label_field: int
    enroll_field: int
    test_field: int
    labels: Mapping[str, bool]

    def parse(self, fields: Sequence[str]) -> tuple[str, str, bool] | None:
        """(enrolment, test, whether both are of one speaker) from the fields of a line; None for another form."""
        if len(fields) != NUM_FIELDS or fields[self.label_field] not in self.labels:
            return None
        return fields[self.enroll_field], fields[self.test_field], self.labels[fields[self.label_field]]


KALDI_FORM = TrialForm("`enroll test target|nontarget`", 2, 0, 1, {"target": True, "nontarget": False})
VOXCELEB_FORM = TrialForm("`1|0 enroll test`", 0, 1, 2, {"1": True, "0": False})
EITHER_FORM = f"{KALDI_FORM.example} or {VOXCELEB_FORM.example}"


def form_of(fields: Sequence[str]) -> TrialForm:
    """The form of a list whose first line has these three fields.

    `1 0 target` is Kaldi's form with utterances called 1 and 0.
    """
    voxceleb = fields[VOXCELEB_FORM.label_field] in VOXCELEB_FORM.labels
    return VOXCELEB_FORM if voxceleb and fields[KALDI_FORM.label_field] not in KALDI_FORM.labels else KALDI_FORM
