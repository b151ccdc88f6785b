"""conf/mini_corpus.yaml as nested dataclasses; an unknown or missing key is an error that lists the choices."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import for_a_message
from common.options import ConfigError as YamlError
from common.yaml_text import read_yaml

Range = tuple[float, float]


class ConfigError(ValueError):
    """A key or value of the configuration cannot be used; the message names file, key and mend."""

    def __init__(self, text: str) -> None:
        super().__init__(for_a_message(text))


@dataclass(frozen=True)
class SplitOptions:
    """How many speakers a split has, and utterances each."""

    speakers: int
    utterances: int


@dataclass(frozen=True)
class SizeOptions:
    """One named size of the corpus."""

    train: SplitOptions
    test: SplitOptions


@dataclass(frozen=True)
class UtteranceOptions:
    """Length of an utterance (s) and how many share a session."""

    seconds: Range
    per_session: int


@dataclass(frozen=True)
class SpeakerOptions:
    """How speakers differ; see the comments in conf/mini_corpus.yaml."""

    f0_hz: dict[str, float]
    f0: float
    f0_range: Range
    tract_scale_female: float
    tract_scale: float
    formant_scale: float
    phone_formants: float
    bandwidth: float
    tilt: Range
    open_quotient: Range
    breath: Range
    jitter: Range
    shimmer: Range
    rate: float
    frication: float
    phone_preference: float


@dataclass(frozen=True)
class DriftOptions:
    """How one speaker differs from session to session."""

    rate: float
    f0: float
    f0_utterance: float
    formants: float
    tilt: float


@dataclass(frozen=True)
class ChannelOptions:
    """The frequency response of recording devices and lines."""

    eq_db: float
    tilt_db: float
    telephone: float
    telephone_low_hz: Range
    telephone_high_hz: Range


@dataclass(frozen=True)
class SessionOptions(ChannelOptions):
    """Channel, room, noise and level of a session."""

    room: float
    t60: Range
    direct_to_reverberant_db: Range
    snr_db: Range
    snr_utterance_db: float
    noises: dict[str, float]
    babble_talkers: tuple[int, int]
    level_db: Range


@dataclass(frozen=True)
class TrialOptions:
    """Nontarget trials per target trial."""

    same_gender: int
    cross_gender: int


@dataclass(frozen=True)
class AugmentationOptions(ChannelOptions):
    """Noises, music, and rooms with the devices in them, for the augmented copies."""

    noises: int
    noise_seconds: Range
    music: int
    music_seconds: Range
    rooms: int
    rirs_per_room: int
    t60: Range
    direct_to_reverberant_db: Range


@dataclass(frozen=True)
class MiniCorpusConfig:
    """The whole of conf/mini_corpus.yaml."""

    seed: int
    sample_rate: int
    sizes: dict[str, SizeOptions]
    utterance: UtteranceOptions
    speaker: SpeakerOptions
    drift: DriftOptions
    session: SessionOptions
    trials: TrialOptions
    augmentation: AugmentationOptions


def read_config(path: Path) -> MiniCorpusConfig:
    """Read and check a configuration.

    Raises:
        ConfigError: the file is no YAML mapping, or a key is unknown, missing or of another type.
    """
    try:
        values = read_yaml(path)
    except YamlError as error:
        raise ConfigError(str(error)) from error
    config = _build(MiniCorpusConfig, values, str(path), "")
    _check(config, path)
    return config


def _check(config: MiniCorpusConfig, path: Path) -> None:
    """The few values that would otherwise fail deep inside the generator, or silently do nothing."""
    kinds = {"white", "pink", "hum", "babble"}
    if set(config.session.noises) - kinds or abs(sum(config.session.noises.values()) - 1) > 1e-6:
        raise ConfigError(f"{path}: session.noises must give {', '.join(sorted(kinds))} probabilities that sum to 1")
    if set(config.speaker.f0_hz) != {"m", "f"}:
        raise ConfigError(f"{path}: speaker.f0_hz must have the keys m and f, has {', '.join(config.speaker.f0_hz)}")
    for name, size in config.sizes.items():
        talkers = config.session.babble_talkers[1]
        if min(size.train.speakers, size.test.speakers) <= talkers:
            raise ConfigError(f"{path}: sizes.{name}: babble of {talkers} other talkers needs more speakers")


def _build(kind: Any, value: Any, file: str, key: str) -> Any:
    """Value of the YAML tree as the annotated type; `key` is the dotted path for messages."""
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, file, key)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and isinstance(value, dict):
        return {str(k): _build(arguments[1], v, file, f"{key}.{k}") for k, v in value.items()}
    if origin is tuple and isinstance(value, list) and len(value) == len(arguments):
        return tuple(_build(a, v, file, f"{key}[{i}]") for i, (a, v) in enumerate(zip(arguments, value, strict=True)))
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ConfigError(f"{file}: {key} is {value!r}, expected {getattr(kind, '__name__', kind)}")


def _build_dataclass(kind: Any, value: Any, file: str, key: str) -> Any:
    hints = typing.get_type_hints(kind)
    where = f"{file}: {key or 'the file'}"
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r}, expected a mapping with the keys {', '.join(hints)}")
    for name in value:
        if name not in hints:
            raise ConfigError(f"{where}: key {name!r} is unknown; choose from: {', '.join(hints)}")
    for name in hints:
        if name not in value:
            raise ConfigError(f"{where}: key {name!r} is missing")
    prefix = f"{key}." if key else ""
    return kind(**{name: _build(hints[name], value[name], file, prefix + name) for name in hints})
