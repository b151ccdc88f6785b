"""What the report must know of a test set: its trials, speakers, durations, genders and audio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minikaldi.data_dir.tables import read_numbers, read_pairs
from scoring.bootstrap import SpeakerNumbers, trial_speakers
from scoring.enrollment import read_models
from scoring.trial_sets import TrialSet, read_trial_set
from scoring.trials import Trials

GENDERS = {"m": "male", "f": "female"}


@dataclass(frozen=True)
class SetFacts:
    """A test set.

    Attributes:
        folder: its data directory.
        trial_set: trials and speakers.
        models: enrolled model -> its utterances; empty if the enrolment ids are utterances.
        duration: utterance -> seconds; empty if they are not known.
        gender: speaker -> `m` or `f`; empty if they are not known.
    """

    folder: Path
    trial_set: TrialSet
    models: dict[str, list[str]]
    duration: dict[str, float]
    gender: dict[str, str]

    @property
    def name(self) -> str:
        """Name of the test set."""
        return self.trial_set.name

    @property
    def trials(self) -> Trials:
        """Its trials."""
        return self.trial_set.trials

    @cached_property
    def _speakers(self) -> tuple[SpeakerNumbers, SpeakerNumbers]:
        return trial_speakers(self.trials, self.trial_set.speaker_of)

    @property
    def enroll(self) -> SpeakerNumbers:
        """Number of the enrolled speaker of each trial, (N,)."""
        return self._speakers[0]

    @property
    def test(self) -> SpeakerNumbers:
        """Number of the test speaker of each trial, (N,)."""
        return self._speakers[1]

    @cached_property
    def speaker_names(self) -> list[str]:
        """Speaker of each number."""
        return sorted(set(self.trial_set.speaker_of.values()))

    def utterances(self, trial_id: str) -> list[str]:
        """The utterances of an enrolment id, or the utterance itself."""
        return self.models.get(trial_id, [trial_id])

    def shorter_side(self) -> NDArray[np.float64] | None:
        """Seconds of the shorter side of each trial, (N,); None if the duration of one is not known.

        A model has the sum of its utterances.
        """
        pairs = self.trials.pairs
        utterances = [self.utterances(trial_id) for trial_id in pairs.ids]
        if any(utt_id not in self.duration for own in utterances for utt_id in own):
            return None
        seconds = np.array([sum(self.duration[utt_id] for utt_id in own) for own in utterances])
        return np.minimum(seconds[pairs.enroll], seconds[pairs.test])


def read_set_facts(name: str, data_dir: Path) -> SetFacts:
    """Read a test set's data directory; utt2dur and spk2gender may be absent.

    Raises:
        InputError: a file has a wrong line.
    """
    models = data_dir / "enroll2utt"
    return SetFacts(
        folder=data_dir,
        trial_set=read_trial_set(name, data_dir),
        models={model: utt_ids for model, (_, utt_ids) in read_models(models).items()} if models.is_file() else {},
        duration=read_numbers(data_dir / "utt2dur") if (data_dir / "utt2dur").is_file() else {},
        gender=read_pairs(data_dir / "spk2gender") if (data_dir / "spk2gender").is_file() else {},
    )
