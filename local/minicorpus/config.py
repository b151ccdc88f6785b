"""The parameters of the mini corpus: conf/mini_corpus.yaml as nested option sets, each key given there.

A pair of numbers is [low, high] of a uniform draw unless its sentence says otherwise. A spread is the standard
deviation of a logarithm: 0.1 is about 10 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.options import REQUIRED, ConfigError, OptionError, OptionSet, option, parse, require
from common.yaml_text import read_yaml

SESSION_NOISES = {"white", "pink", "hum", "babble"}


@dataclass(frozen=True)
class SplitOptions(OptionSet):
    """The training or the test set of one size."""

    speakers: int = option(REQUIRED, "speakers, half of them female", least=1)
    utterances: int = option(REQUIRED, "utterances of each speaker", least=1)


@dataclass(frozen=True)
class SizeOptions(OptionSet):
    """One named size of the corpus."""

    train: SplitOptions = option(REQUIRED, "the training set")
    test: SplitOptions = option(REQUIRED, "the test set")


@dataclass(frozen=True)
class UtteranceOptions(OptionSet):
    """Utterances and sessions."""

    seconds: tuple[float, float] = option(REQUIRED, "length in seconds", above=0)
    per_session: int = option(REQUIRED, "utterances that share a session", least=1)


@dataclass(frozen=True)
class SpeakerOptions(OptionSet):
    """How speakers differ."""

    f0_hz: dict[str, float] = option(REQUIRED, "median fundamental frequency over speakers, for m and f, in Hz")
    f0: float = option(REQUIRED, "spread of a speaker's fundamental frequency")
    f0_range: tuple[float, float] = option(REQUIRED, "spread of the fundamental frequency within an utterance")
    tract_scale_female: float = option(REQUIRED, "log of the ratio of formants, female over male")
    tract_scale: float = option(REQUIRED, "spread of the factor of all formants")
    formant_scale: float = option(REQUIRED, "spread of the factor of each of the five formants")
    phone_formants: float = option(REQUIRED, "spread of the factors of each phone's three formants")
    bandwidth: float = option(REQUIRED, "spread of the formants' bandwidth")
    tilt: tuple[float, float] = option(REQUIRED, "pole of the glottal low pass: mean and standard deviation")
    open_quotient: tuple[float, float] = option(REQUIRED, "open share of a glottal period: mean, standard deviation")
    breath: tuple[float, float] = option(REQUIRED, "amplitude of the breath noise: median and spread")
    jitter: tuple[float, float] = option(REQUIRED, "relative variation of the period: median and spread")
    shimmer: tuple[float, float] = option(REQUIRED, "relative variation of the amplitude from cycle to cycle")
    rate: float = option(REQUIRED, "spread of the speaking rate")
    frication: float = option(REQUIRED, "spread of the centre of the frication noise")
    phone_preference: float = option(REQUIRED, "concentration of the Dirichlet draw of phones; small: strong", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(set(self.f0_hz) == {"m", "f"}, "f0_hz", self.f0_hz, "the keys m and f")


@dataclass(frozen=True)
class DriftOptions(OptionSet):
    """How one speaker differs from session to session."""

    rate: float = option(REQUIRED, "spread of the speaking rate")
    f0: float = option(REQUIRED, "spread of the fundamental frequency")
    f0_utterance: float = option(REQUIRED, "spread of the fundamental frequency from utterance to utterance")
    formants: float = option(REQUIRED, "spread of the factors of the first three formants")
    tilt: float = option(REQUIRED, "standard deviation of an offset of the glottal pole")


@dataclass(frozen=True)
class ChannelOptions(OptionSet):
    """The frequency response of recording devices and lines."""

    eq_db: float = option(REQUIRED, "standard deviation of the first cosine of a smooth response, in dB")
    tilt_db: float = option(REQUIRED, "standard deviation of a straight line over frequency, in dB")
    telephone: float = option(REQUIRED, "probability of a telephone band", least=0, most=1)
    telephone_low_hz: tuple[float, float] = option(REQUIRED, "lower edge of the telephone band in Hz")
    telephone_high_hz: tuple[float, float] = option(REQUIRED, "upper edge of the telephone band in Hz")


@dataclass(frozen=True)
class SessionOptions(ChannelOptions):
    """Channel, room, noise and level of a session."""

    room: float = option(REQUIRED, "probability of a reverberant room", least=0, most=1)
    t60: tuple[float, float] = option(REQUIRED, "reverberation time in seconds", above=0)
    direct_to_reverberant_db: tuple[float, float] = option(REQUIRED, "direct over reverberant energy in dB")
    snr_db: tuple[float, float] = option(REQUIRED, "speech over noise in dB")
    snr_utterance_db: float = option(REQUIRED, "standard deviation between utterances of a session, in dB")
    noises: dict[str, float] = option(REQUIRED, "probability of each kind of background noise")
    babble_talkers: tuple[int, int] = option(REQUIRED, "other speakers in babble: fewest and most", least=1)
    level_db: tuple[float, float] = option(REQUIRED, "peak in dB, relative to 0.9 of full scale")

    def __post_init__(self) -> None:
        super().__post_init__()
        known, total = set(self.noises) <= SESSION_NOISES, sum(self.noises.values())
        expected = f"probabilities of {', '.join(sorted(SESSION_NOISES))} that sum to 1"
        require(known and abs(total - 1) <= 1e-6, "noises", self.noises, expected)


@dataclass(frozen=True)
class TrialOptions(OptionSet):
    """Nontarget trials per target trial; the target trials are all pairs of a speaker's sessions."""

    same_gender: int = option(REQUIRED, "nontarget trials of two speakers of one gender", least=0)
    cross_gender: int = option(REQUIRED, "nontarget trials of a male and a female speaker", least=0)


@dataclass(frozen=True)
class AugmentationOptions(ChannelOptions):
    """Noises, music, and rooms with the devices in them, for the augmented copies."""

    noises: int = option(REQUIRED, "noise files", least=1)
    noise_seconds: tuple[float, float] = option(REQUIRED, "length of a noise in seconds", above=0)
    music: int = option(REQUIRED, "pieces of music", least=1)
    music_seconds: tuple[float, float] = option(REQUIRED, "length of a piece of music in seconds", above=0)
    rooms: int = option(REQUIRED, "rooms", least=1)
    rirs_per_room: int = option(REQUIRED, "impulse responses of each room", least=1)
    t60: tuple[float, float] = option(REQUIRED, "reverberation time in seconds", above=0)
    direct_to_reverberant_db: tuple[float, float] = option(REQUIRED, "direct over reverberant energy in dB")


@dataclass(frozen=True)
class MiniCorpusConfig(OptionSet):
    """The whole of conf/mini_corpus.yaml."""

    seed: int = option(REQUIRED, "random seed of all draws", least=0)
    sample_rate: int = option(REQUIRED, "of all audio, in Hz", least=1)
    sizes: dict[str, SizeOptions] = option(REQUIRED, "sizes by name, for --size")
    utterance: UtteranceOptions = option(REQUIRED, "utterances and sessions")
    speaker: SpeakerOptions = option(REQUIRED, "how speakers differ")
    drift: DriftOptions = option(REQUIRED, "how a speaker differs from session to session")
    session: SessionOptions = option(REQUIRED, "channel, room, noise and level")
    trials: TrialOptions = option(REQUIRED, "trials of the test set")
    augmentation: AugmentationOptions = option(REQUIRED, "sounds for the augmented copies")

    def __post_init__(self) -> None:
        super().__post_init__()
        talkers = self.session.babble_talkers[1]
        for name, size in self.sizes.items():
            speakers = min(size.train.speakers, size.test.speakers)
            if speakers <= talkers:
                lack = f"has {speakers} speakers; babble of {talkers} other talkers needs more (session.babble_talkers)"
                raise OptionError(f"sizes.{name}", lack)


def read_config(path: Path) -> MiniCorpusConfig:
    """Read and check a configuration.

    Raises:
        ConfigError: not a YAML mapping, or a key that is unknown, missing, of another type or out of its range.
    """
    values = read_yaml(path)
    try:
        return parse(MiniCorpusConfig, "", values)
    except OptionError as error:
        raise ConfigError(f"{path}: {str(error).strip()}") from error
