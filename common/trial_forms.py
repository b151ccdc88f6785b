"""The two forms of a line in a trial list: Kaldi's and VoxCeleb's. `common.trial_lines` reads lists of either form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NUM_FIELDS = 3


@dataclass(frozen=True)
class TrialForm:
    """Where the label and the two ids are in a line.

    Attributes:
        example: the form in words, for messages.
        label_field: place of the label, from 0.
        enroll_field: place of the enrolment id.
        test_field: place of the test id.
        labels: each allowed label, and whether it says that both are of one speaker.
    """

    example: str
    label_field: int
    enroll_field: int
    test_field: int
    labels: Mapping[str, bool]

    def parse(self, fields: Sequence[str]) -> tuple[str, str, bool] | None:
        """(enrolment, test, whether both are of one speaker) of a line's fields, or None for a line of another form."""
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
