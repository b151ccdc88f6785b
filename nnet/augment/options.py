"""The options of each step of augmentation. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.options import REQUIRED, OptionSet, option, require
from nnet.part_options import PartOptions

Law = Literal["mu", "a", "any"]
BETWEEN = "whether any level from the least to the greatest is drawn, evenly; else one of them"
SNRS = "levels of the noise below the speech, in dB"
CUTOFF = "cutoff in Hz, least and greatest, drawn evenly on the log scale"
ORDER = "order of the Butterworth magnitude"
LAW = "companding: mu-law, A-law, or either"


def _rising(key: str, pair: tuple[float, float]) -> None:
    require(pair[0] <= pair[1], key, list(pair), "[least, greatest], least first")


@dataclass(frozen=True)
class SpeedOptions(OptionSet):
    """Speech at other speeds, pitch and all."""

    factors: tuple[float, ...] = option(
        (0.9, 1.1), "speeds, in hundredths; 1.1 is a tenth faster, higher and shorter", least=0.5, most=2
    )
    new_speakers: bool = option(
        True,
        "whether each factor makes a copy of the corpus with speakers of its own (sp1.1-<speaker>), as Kaldi's 3-way"
        " perturbation does; else each chunk draws its factor evenly from these and 1, and keeps its speaker",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        good = all(each != 1 and round(100 * each) / 100 == each for each in self.factors)
        different = len(set(self.factors)) == len(self.factors) > 0
        require(good and different, "factors", list(self.factors), "different factors, in hundredths, without 1")


@dataclass(frozen=True)
class WaveStepOptions(PartOptions):
    """Options of a step of `augment.audio`."""


@dataclass(frozen=True)
class LevelOptions(WaveStepOptions):
    """Of a step that adds noise at a level."""

    snrs: tuple[float, ...] = option(REQUIRED, SNRS, above=-200, below=200)
    between: bool = option(False, BETWEEN)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.snrs), "snrs", list(self.snrs), "one level in dB or more")


@dataclass(frozen=True)
class CleanOptions(WaveStepOptions):
    """The wave as it is: a member of one_of."""

    implementation: ClassVar[str] = "nnet.augment.level:Clean"


@dataclass(frozen=True)
class RoomOptions(WaveStepOptions):
    """A room of rir.list, drawn by the weights there."""

    implementation: ClassVar[str] = "nnet.augment.room:Room"
    context: float = option(0.3, "seconds of speech before the chunk whose echo reaches into it", least=0, most=10)


@dataclass(frozen=True)
class NoiseOptions(LevelOptions):
    """Noises of noise.list."""

    implementation: ClassVar[str] = "nnet.augment.noise:NoiseStep"
    snrs: tuple[float, ...] = option((15.0, 10.0, 5.0, 0.0), SNRS, above=-200, below=200)
    placement: Literal["foreground", "background"] = option(
        "foreground", "foreground noises follow one another; one background noise lasts as long as the chunk"
    )
    interval: float = option(1.0, "seconds between two foreground noises", least=0)


@dataclass(frozen=True)
class MusicOptions(LevelOptions):
    """A piece of music.list, as long as the chunk."""

    implementation: ClassVar[str] = "nnet.augment.noise:Music"
    snrs: tuple[float, ...] = option((15.0, 10.0, 8.0, 5.0), SNRS, above=-200, below=200)


@dataclass(frozen=True)
class BabbleOptions(LevelOptions):
    """Several voices at once, of speech.list or, if there is none, of other training speakers."""

    implementation: ClassVar[str] = "nnet.augment.noise:Babble"
    snrs: tuple[float, ...] = option((20.0, 17.0, 15.0, 13.0), SNRS + ", of each voice", above=-200, below=200)
    voices: tuple[int, int] = option((3, 7), "least and greatest number of voices", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("voices", self.voices)


@dataclass(frozen=True)
class TelephoneOptions(WaveStepOptions):
    """A telephone line: a band, 8 kHz, eight bits."""

    implementation: ClassVar[str] = "nnet.augment.band:Telephone"
    low: tuple[float, float] = option((150.0, 350.0), "lower edge of the band in Hz, drawn evenly", least=1)
    high: tuple[float, float] = option(
        (3200.0, 3600.0), "upper edge of the band in Hz, drawn evenly; the line has 8 kHz", most=3800
    )
    law: Literal["mu", "a", "any"] = option("any", LAW)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("low", self.low)
        _rising("high", self.high)
        require(self.low[1] <= self.high[0], "high", list(self.high), "edges above those of low")


@dataclass(frozen=True)
class CompandingOptions(WaveStepOptions):
    """Eight bits a sample, by mu-law or A-law, at the wave's own rate."""

    implementation: ClassVar[str] = "nnet.augment.band:Companding"
    law: Literal["mu", "a", "any"] = option("any", LAW)


@dataclass(frozen=True)
class ResampledOptions(WaveStepOptions):
    """To a lower rate and back: nothing is left above half of it."""

    implementation: ClassVar[str] = "nnet.augment.band:Resampled"
    rates: tuple[float, ...] = option((8000.0,), "rates in Hz; one is drawn", least=1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.rates), "rates", list(self.rates), "one rate in Hz or more")


@dataclass(frozen=True)
class LowPassOptions(WaveStepOptions):
    """A low-pass."""

    implementation: ClassVar[str] = "nnet.augment.band:LowPass"
    cutoff: tuple[float, float] = option((2500.0, 7500.0), CUTOFF, least=50)
    order: int = option(4, ORDER, least=1, most=20)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("cutoff", self.cutoff)


@dataclass(frozen=True)
class HighPassOptions(WaveStepOptions):
    """A high-pass."""

    implementation: ClassVar[str] = "nnet.augment.band:HighPass"
    cutoff: tuple[float, float] = option((50.0, 400.0), CUTOFF, least=1)
    order: int = option(2, ORDER, least=1, most=20)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("cutoff", self.cutoff)


@dataclass(frozen=True)
class ColourOptions(WaveStepOptions):
    """A device's own frequency response: a random curve, smooth on the log scale of frequency."""

    implementation: ClassVar[str] = "nnet.augment.band:Colour"
    db: tuple[float, float] = option(
        (2.0, 12.0), "how far up or down the curve goes in dB, least and greatest, drawn evenly", least=0, most=60
    )
    octaves: float = option(1.0, "between the points of the curve", least=0.25, most=4)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("db", self.db)


@dataclass(frozen=True)
class GainOptions(WaveStepOptions):
    """Louder or softer; samples beyond 16 bits are clipped."""

    implementation: ClassVar[str] = "nnet.augment.level:Gain"
    db: tuple[float, float] = option((-12.0, 6.0), "least and greatest gain in dB, drawn evenly", least=-100, most=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("db", self.db)


@dataclass(frozen=True)
class ClippingOptions(WaveStepOptions):
    """Overdriven: the peaks are cut."""

    implementation: ClassVar[str] = "nnet.augment.level:Clipping"
    db: tuple[float, float] = option((1.0, 12.0), "how far below the chunk's peak in dB, drawn evenly", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("db", self.db)


@dataclass(frozen=True)
class MaskOptions(PartOptions):
    """Bands of a chunk that are hidden; none covers more than half of the chunk."""

    width: tuple[int, int] = option((1, 8), "least and greatest width of a mask", least=1)
    count: tuple[int, int] = option((1, 1), "least and greatest number of masks", least=1)
    fill: Literal["zero", "mean", "crop_mean"] = option(
        "zero", "zero; mean, each bin's own mean over the chunk; or crop_mean, the mean of all the chunk's numbers"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _rising("width", self.width)
        _rising("count", self.count)


@dataclass(frozen=True)
class FrequencyMaskOptions(MaskOptions):
    """Bands of bins, over all frames."""

    implementation: ClassVar[str] = "nnet.augment.masks:mask_bins"


@dataclass(frozen=True)
class TimeMaskOptions(MaskOptions):
    """Stretches of frames, over all bins."""

    implementation: ClassVar[str] = "nnet.augment.masks:mask_frames"
    width: tuple[int, int] = option((1, 20), "least and greatest width of a mask, in frames", least=1)
