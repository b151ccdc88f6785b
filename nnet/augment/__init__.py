"""Augmentation while training reads: the tables of the steps' names, and the section `augment`. No torch here.

A step of `audio` is a class made as ``Step(options, material)``, a subclass of ``wave_step.WaveStep``. A step of
`features` is a function ``(frames, options, filling, rng) -> frames``. To add one: its code in the file of its kind,
its options in options.py, its line in the table here, a test. How the section is read: schema.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnet.augment.options import (
    BabbleOptions,
    CleanOptions,
    ClippingOptions,
    ColourOptions,
    CompandingOptions,
    FrequencyMaskOptions,
    GainOptions,
    HighPassOptions,
    LowPassOptions,
    MaskOptions,
    MusicOptions,
    NoiseOptions,
    ResampledOptions,
    RoomOptions,
    SpeedOptions,
    TelephoneOptions,
    TimeMaskOptions,
    WaveStepOptions,
)

AUDIO_STEPS: dict[str, type[WaveStepOptions]] = {
    "babble": BabbleOptions,
    "clean": CleanOptions,
    "clipping": ClippingOptions,
    "colour": ColourOptions,
    "companding": CompandingOptions,
    "gain": GainOptions,
    "high_pass": HighPassOptions,
    "low_pass": LowPassOptions,
    "music": MusicOptions,
    "noise": NoiseOptions,
    "resampled": ResampledOptions,
    "room": RoomOptions,
    "telephone": TelephoneOptions,
}


FEATURE_STEPS: dict[str, type[MaskOptions]] = {"frequency_mask": FrequencyMaskOptions, "time_mask": TimeMaskOptions}


@dataclass(frozen=True)
class Step:
    """A step of a section.

    Attributes:
        options: of the step.
        share: its probability; in one_of, its weight among the members.
    """

    options: Any
    share: float = 1.0


@dataclass(frozen=True)
class OneOf:
    """One of several steps, drawn by their weights.

    Attributes:
        members: the steps.
        probability: that one of them is applied.
    """

    members: tuple[Step, ...]
    probability: float = 1.0


@dataclass(frozen=True)
class AugmentOptions:
    """The section `augment`.

    Attributes:
        speed: speed perturbation, None for none.
        audio: steps on the wave in order, each drawn for each chunk.
        features: steps on the features in order, each drawn for each chunk.
    """

    speed: SpeedOptions | None = None
    audio: tuple[Step | OneOf, ...] = ()
    features: tuple[Step, ...] = ()

    @property
    def needs_audio(self) -> bool:
        """Whether features alone are not enough."""
        return bool(self.speed or self.audio)

    def audio_steps(self) -> list[Step]:
        """All steps of `audio`, with the members of one_of."""
        return [step for each in self.audio for step in (each.members if isinstance(each, OneOf) else (each,))]
