"""A test set of the report: a Kaldi data directory with its trials, and the speaker of every id in them.

`DATA_DIR/trials` and `DATA_DIR/utt2spk` are read, and `DATA_DIR/enroll2utt` (lines `model utt1 utt2 …`) if the
enrolment ids are models.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from minikaldi.data_dir.tables import read_pairs
from scoring.enrollment import read_models
from scoring.trials import Trials, read_trials


@dataclass(frozen=True)
class TrialSet:
    """A named trial list.

    Attributes:
        name: of the test set.
        trials: its trials.
        speaker_of: speaker of each utterance and of each enrolled model.
    """

    name: str
    trials: Trials
    speaker_of: dict[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials, targets, nontargets, and speakers that occur in them."""
        speakers = {self.speaker_of.get(trial_id, trial_id) for trial_id in self.trials.pairs.ids}
        return {
            "trials": len(self.trials),
            "targets": self.trials.num_targets,
            "nontargets": self.trials.num_nontargets,
            "speakers": len(speakers),
        }


def parse_trial_set(text: str) -> tuple[str, Path]:
    """`NAME=DATA_DIR` as a pair.

    Raises:
        argparse.ArgumentTypeError: a part is missing.
    """
    name, equals, path = text.partition("=")
    if not (equals and name and path):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected `NAME=DATA_DIR`")
    return name, Path(path)


def read_trial_set(name: str, data_dir: Path) -> TrialSet:
    """Read the trials of a data directory and the speakers of their ids.

    Raises:
        InputError: a file has a wrong line; the text names file and line.
        OSError: `trials` or `utt2spk` cannot be read.
    """
    trials, speaker_of = read_trials(data_dir / "trials"), read_pairs(data_dir / "utt2spk")
    models = data_dir / "enroll2utt"
    if models.exists():
        speaker_of.update(model_speakers(models, speaker_of))
    return TrialSet(name, trials, speaker_of)


def model_speakers(path: Path, utt2spk: Mapping[str, str]) -> dict[str, str]:
    """The speaker of each enrolled model of `enroll2utt`: that of all its utterances.

    Args:
        path: the table.
        utt2spk: speaker of each utterance.

    Raises:
        InputError: a line without an utterance, with an unknown one, or with those of two speakers; a model that
            appears twice, or has the name of another speaker's utterance.
    """
    speakers: dict[str, str] = {}
    for model, (number, utt_ids) in read_models(path).items():
        speaker = utt2spk.get(utt_ids[0], "")
        for utt_id in utt_ids:
            if utt_id not in utt2spk:
                found = f"utterance {utt_id!r} of model {model!r} is not in utt2spk"
                raise InputError(f"{path}:{number}: {found}; add it there, or take it out of the model")
            if utt2spk[utt_id] != speaker:
                found = f"{utt_ids[0]!r} is of speaker {speaker!r}, {utt_id!r} of {utt2spk[utt_id]!r}"
                raise InputError(f"{path}:{number}: model {model!r} has two speakers: {found}; expected one")
        if utt2spk.get(model, speaker) != speaker:
            found = f"model {model!r} is of speaker {speaker!r}, the utterance of the same name of {utt2spk[model]!r}"
            raise InputError(f"{path}:{number}: {found}; rename the model")
        speakers[model] = speaker
    return speakers
