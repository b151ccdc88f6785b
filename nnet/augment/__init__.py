"""Augmentation while training reads: the options of each step, and the tables of their names. numpy only, no torch.

A step of `audio` is a class made as ``Step(options, material)``; its ``apply(signals, rngs)`` maps signals (waves, see
signal.py) to signals, and what becomes of signal n depends on it and on generator n alone. A step of `features` is a
function ``(frames, options, rng) -> frames``. To add one: its function in the file of its kind, its options and its
line in the table here, a test. How the section is read: schema.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.options import OptionTable, at_least, require

Law = Literal["mu", "a", "any"]


def _rising(key: str, pair: tuple[float, float], least: float, what: str) -> None:
    require(least <= pair[0] <= pair[1], key, list(pair), f"[least, greatest] {what}, least first")


def _levels(snrs: tuple[float, ...]) -> None:
    require(bool(snrs) and all(abs(snr) < 200 for snr in snrs), "snrs", list(snrs), "one level in dB or more")


@dataclass(frozen=True)
class SpeedOptions:
    """Speech at other speeds, pitch and all.

    factors: 1.1 is a tenth faster, higher and shorter. new_speakers: each factor makes a copy of the corpus whose
    speakers are classes of their own (sp1.1-<speaker>), as Kaldi's 3-way perturbation; if false, each chunk draws its
    factor evenly from these and 1, and keeps its speaker.
    """

    factors: tuple[float, ...] = (0.9, 1.1)
    new_speakers: bool = True

    def __post_init__(self) -> None:
        good = all(0.5 <= each <= 2 and each != 1 and round(100 * each) / 100 == each for each in self.factors)
        different = len(set(self.factors)) == len(self.factors) > 0
        expected = "different factors from 0.5 to 2, in hundredths, without 1"
        require(good and different, "factors", list(self.factors), expected)


@dataclass(frozen=True)
class CleanOptions:
    """The wave as it is: a member of one_of."""

    implementation: ClassVar[str] = "nnet.augment.level:Clean"


@dataclass(frozen=True)
class RoomOptions:
    """A room of rir.list, drawn by the weights there. context: seconds of speech before the chunk whose echo is heard
    in it."""

    implementation: ClassVar[str] = "nnet.augment.room:Room"
    context: float = 0.3

    def __post_init__(self) -> None:
        require(0 <= self.context <= 10, "context", self.context, "seconds from 0 to 10")


@dataclass(frozen=True)
class NoiseOptions:
    """Noises of noise.list.

    snrs: levels below the speech in dB. between: any level from the least to the greatest of them, drawn evenly; if
    false, one of them. placement: foreground noises follow one another, interval seconds apart; one background noise
    lasts as long as the chunk.
    """

    implementation: ClassVar[str] = "nnet.augment.noise:Noise"
    snrs: tuple[float, ...] = (15.0, 10.0, 5.0, 0.0)
    between: bool = False
    placement: Literal["foreground", "background"] = "foreground"
    interval: float = 1.0

    def __post_init__(self) -> None:
        _levels(self.snrs)
        at_least(0, interval=self.interval)


@dataclass(frozen=True)
class MusicOptions:
    """A piece of music.list, as long as the chunk. snrs, between: as for noise."""

    implementation: ClassVar[str] = "nnet.augment.noise:Music"
    snrs: tuple[float, ...] = (15.0, 10.0, 8.0, 5.0)
    between: bool = False

    def __post_init__(self) -> None:
        _levels(self.snrs)


@dataclass(frozen=True)
class BabbleOptions:
    """Several voices at once, of speech.list or, where there is none, of other training speakers.

    snrs, between: of each voice, as for noise. voices: least and greatest number.
    """

    implementation: ClassVar[str] = "nnet.augment.noise:Babble"
    snrs: tuple[float, ...] = (20.0, 17.0, 15.0, 13.0)
    between: bool = False
    voices: tuple[int, int] = (3, 7)

    def __post_init__(self) -> None:
        _levels(self.snrs)
        _rising("voices", self.voices, 1, "voices from 1 on")


@dataclass(frozen=True)
class TelephoneOptions:
    """A telephone line: a band, 8 kHz, eight bits.

    low, high: edges of the band in Hz, each drawn evenly. law: the companding, mu-law, A-law or either.
    """

    implementation: ClassVar[str] = "nnet.augment.band:Telephone"
    low: tuple[float, float] = (150.0, 350.0)
    high: tuple[float, float] = (3200.0, 3600.0)
    law: Law = "any"

    def __post_init__(self) -> None:
        _rising("low", self.low, 1, "in Hz")
        _rising("high", self.high, self.low[1], "in Hz, above low")
        require(self.high[1] <= 3800, "high", list(self.high), "3800 Hz at most: the line has 8 kHz")


@dataclass(frozen=True)
class CompandingOptions:
    """Eight bits a sample, by mu-law or A-law, at the wave's own rate."""

    implementation: ClassVar[str] = "nnet.augment.band:Companding"
    law: Law = "any"


@dataclass(frozen=True)
class ResampledOptions:
    """To a lower rate and back: nothing is left above half of it. rates: Hz, one is drawn."""

    implementation: ClassVar[str] = "nnet.augment.band:Resampled"
    rates: tuple[float, ...] = (8000.0,)

    def __post_init__(self) -> None:
        require(bool(self.rates) and min(self.rates) >= 1000, "rates", list(self.rates), "rates of 1000 Hz or more")


@dataclass(frozen=True)
class LowPassOptions:
    """A low-pass. cutoff: Hz, drawn evenly on the log scale. order: of the Butterworth magnitude."""

    implementation: ClassVar[str] = "nnet.augment.band:LowPass"
    cutoff: tuple[float, float] = (2500.0, 7500.0)
    order: int = 4

    def __post_init__(self) -> None:
        _rising("cutoff", self.cutoff, 50, "in Hz, from 50 on")
        require(1 <= self.order <= 20, "order", self.order, "from 1 to 20")


@dataclass(frozen=True)
class HighPassOptions:
    """A high-pass. cutoff: Hz, drawn evenly on the log scale. order: of the Butterworth magnitude."""

    implementation: ClassVar[str] = "nnet.augment.band:HighPass"
    cutoff: tuple[float, float] = (50.0, 400.0)
    order: int = 2

    def __post_init__(self) -> None:
        _rising("cutoff", self.cutoff, 1, "in Hz, from 1 on")
        require(1 <= self.order <= 20, "order", self.order, "from 1 to 20")


@dataclass(frozen=True)
class ColourOptions:
    """A device's own frequency response: a random curve, smooth on the log scale of frequency.

    db: how far up or down the curve goes at most, least and greatest; drawn for each chunk. octaves: between the points
    of the curve, each of which is drawn evenly within that.
    """

    implementation: ClassVar[str] = "nnet.augment.band:Colour"
    db: tuple[float, float] = (2.0, 12.0)
    octaves: float = 1.0

    def __post_init__(self) -> None:
        _rising("db", self.db, 0, "in dB, from 0 on")
        require(self.db[1] <= 60, "db", list(self.db), "60 dB at most")
        require(0.25 <= self.octaves <= 4, "octaves", self.octaves, "from 0.25 to 4")


@dataclass(frozen=True)
class GainOptions:
    """Louder or softer. db: least and greatest gain, drawn evenly; what passes 16 bits is clipped."""

    implementation: ClassVar[str] = "nnet.augment.level:Gain"
    db: tuple[float, float] = (-12.0, 6.0)

    def __post_init__(self) -> None:
        _rising("db", self.db, -100, "in dB, from -100 on")
        require(self.db[1] <= 100, "db", list(self.db), "100 dB at most")


@dataclass(frozen=True)
class ClippingOptions:
    """Overdriven: the peaks are cut. db: how far below the chunk's peak, least and greatest, drawn evenly."""

    implementation: ClassVar[str] = "nnet.augment.level:Clipping"
    db: tuple[float, float] = (1.0, 12.0)

    def __post_init__(self) -> None:
        _rising("db", self.db, 0, "in dB, from 0 on")


AUDIO_STEPS: OptionTable = {
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


@dataclass(frozen=True)
class MaskOptions:
    """Bands of a chunk that are hidden; none covers more than half of the chunk.

    width: least and greatest. count: how many, least and greatest. fill: "zero"; "mean", each bin's own mean over the
    chunk; or "crop_mean", the one mean of all the chunk's numbers.
    """

    width: tuple[int, int] = (1, 8)
    count: tuple[int, int] = (1, 1)
    fill: Literal["zero", "mean", "crop_mean"] = "zero"

    def __post_init__(self) -> None:
        _rising("width", self.width, 1, "from 1 on")
        _rising("count", self.count, 1, "from 1 on")


@dataclass(frozen=True)
class FrequencyMaskOptions(MaskOptions):
    """Bands of bins, over all frames."""

    implementation: ClassVar[str] = "nnet.augment.masks:mask_bins"


@dataclass(frozen=True)
class TimeMaskOptions(MaskOptions):
    """Stretches of frames, over all bins."""

    implementation: ClassVar[str] = "nnet.augment.masks:mask_frames"
    width: tuple[int, int] = (1, 20)


FEATURE_STEPS: OptionTable = {"frequency_mask": FrequencyMaskOptions, "time_mask": TimeMaskOptions}


@dataclass(frozen=True)
class Step:
    """A step's options, and its probability; in one_of, its weight among the members."""

    options: Any
    share: float = 1.0


@dataclass(frozen=True)
class OneOf:
    """One of several steps, drawn by their weights; with the rest of `probability`, none."""

    members: tuple[Step, ...]
    probability: float = 1.0


@dataclass(frozen=True)
class AugmentOptions:
    """The section `augment`. speed: None for none. audio, features: steps in order, each drawn for each chunk."""

    speed: SpeedOptions | None = None
    audio: tuple[Step | OneOf, ...] = ()
    features: tuple[Step, ...] = ()

    @property
    def needs_audio(self) -> bool:
        """Whether features alone are not enough."""
        return bool(self.speed or self.audio)

    def audio_steps(self) -> list[Step]:
        """All steps of `audio`, the members of one_of among them."""
        return [step for each in self.audio for step in (each.members if isinstance(each, OneOf) else (each,))]
