"""One YAML describes one experiment: read strictly, changed from the command line, saved beside the checkpoints.

    python3 -m nnet.config --config conf/nnet/mini.yaml --set loss.margin=2 --get features.type

Reading a config imports no torch. `--set pooling={name: mean}` replaces a whole section. Relative paths, that of the
YAML too: nnet/config/paths.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from common.options import (
    ConfigError,
    OptionError,
    OptionTable,
    UnknownKeyError,
    choices,
    name_of,
    option_lines,
    parse,
    parse_named,
    plain,
    show,
)
from common.yaml_text import parse_yaml, read_yaml
from nnet.augment import AugmentOptions
from nnet.augment.schema import augment_mapping, list_augment, parse_augment
from nnet.config.foreign_keys import hint
from nnet.config.overrides import Override, add_arguments, as_override, blamed
from nnet.config.paths import alternatives, callers, in_checkout, located
from nnet.config.sections import (
    DataOptions,
    EmbeddingOptions,
    FeatureOptions,
    HeadOptions,
    InferenceOptions,
    TrainingOptions,
)
from nnet.encoders import ENCODERS
from nnet.losses import LOSSES
from nnet.pooling import POOLINGS
from nnet.training.optimizer_options import OPTIMIZERS
from nnet.training.schedules import SCHEDULES

# Section -> its option set, or the table of names from which its key `name` chooses one.
SECTIONS: dict[str, type[Any] | OptionTable] = {
    "features": FeatureOptions,
    "encoder": ENCODERS,
    "pooling": POOLINGS,
    "embedding": EmbeddingOptions,
    "head": HeadOptions,
    "loss": LOSSES,
    "data": DataOptions,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "training": TrainingOptions,
    "inference": InferenceOptions,
}
OPTIONAL = ("inference",)  # sections that may be left out: all their options have defaults
AUGMENT = "augment"  # a section that may be left out, and may be the name of a file; see nnet/augment/schema.py
PATHS = ("features.config", "training.start_from")  # options that name a file


@dataclasses.dataclass(frozen=True)
class Config:
    """An experiment. The sections that are chosen by name hold the option set of that name."""

    features: FeatureOptions
    encoder: Any
    pooling: Any
    embedding: EmbeddingOptions
    head: HeadOptions
    loss: Any
    data: DataOptions
    optimizer: Any
    schedule: Any
    training: TrainingOptions
    inference: InferenceOptions = dataclasses.field(default_factory=InferenceOptions)
    augment: AugmentOptions = dataclasses.field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        for part in ("speed", "wave"):
            if self.data.source == "feats" and getattr(self.augment, part):
                message = "changes audio, but data.source is feats; set data.source=wav, or remove it"
                raise OptionError(f"{AUGMENT}.{part}", message)
        needed, balance = self.loss.balance, self.data.balance
        if needed not in ("any", balance):
            message = f'is "{balance}"; the loss compares utterances with one another and needs "{needed}"'
            raise OptionError("data.balance", message)


def load(path: str | Path, overrides: Sequence[str | Override] = ()) -> Config:
    """The experiment of a YAML file.

    Args:
        path: the file; a relative one that is not here is looked for in the checkout.
        overrides: `section.key=value`, the value in YAML; applied in order before anything is checked.

    Raises:
        ConfigError: unreadable or wrong; the message names the file (or the override), the key, what was found and
            the choices.
    """
    file = Path(path) if Path(path).exists() else located(path)
    if not file.exists():
        why = f"cannot be read: there is no such file; {alternatives(str(path), 'conf/nnet')}"
        raise ConfigError(f"{path}: {why}")
    return from_mapping(read_yaml(file), str(path), overrides, of_checkout=in_checkout(file))


def from_mapping(
    mapping: object, source: str, overrides: Sequence[str | Override] = (), of_checkout: bool = True
) -> Config:
    """The experiment that a mapping section -> options describes, as `to_mapping` gives it. See `load`.

    Args:
        mapping: the sections.
        source: where it comes from, for messages.
        overrides: as for `load`.
        of_checkout: relative paths in the mapping are the checkout's; else the caller's directory comes first, as it
            does for overrides.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{source}: is {show(mapping)}; expected the sections {', '.join(SECTIONS)}")
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in mapping.items()}
    merged[AUGMENT] = _augment_section(merged.get(AUGMENT), f"{source}: {AUGMENT}", of_checkout)
    for section in OPTIONAL:
        merged.setdefault(section, {})
    origins = {key: override.given for override in map(as_override, overrides) for key in [_apply(merged, override)]}
    for key in PATHS:
        if not of_checkout or blamed(key, origins):
            _take_callers(merged, *key.split("."))
    known = (*SECTIONS, AUGMENT)
    for section in merged:
        if section not in known:
            named = str(section)
            raise ConfigError(f"{source}: section {show(named)} is unknown; {hint(named)}{choices(named, known)}")
    missing = [section for section in SECTIONS if section not in merged]
    if missing:
        raise ConfigError(f"{source}: missing: {', '.join(missing)}; expected the sections {', '.join(SECTIONS)}")
    try:
        sections = {section: _parse_section(section, merged[section]) for section in SECTIONS}
        return Config(**sections, augment=parse_augment(merged[AUGMENT]))
    except OptionError as error:
        hinted = error.hinted(hint(error.key)) if isinstance(error, UnknownKeyError) else error
        text = str(hinted).replace("\n", "\\n")  # a key of YAML may hold a line break
        raise ConfigError(f"{blamed(error.key, origins) or source}: {text}") from error


def _take_callers(merged: dict[Any, Any], section: str, key: str) -> None:
    options = merged.get(section)
    if isinstance(options, Mapping) and isinstance(options.get(key), str):
        merged[section] = {**options, key: callers(options[key])}


def _augment_section(value: object, source: str, of_checkout: bool) -> object:
    """The section as a mapping: its own, or that of the file it names.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not isinstance(value, str):
        return {} if value is None else value
    file = located(value if of_checkout else callers(value))
    if not file.exists():
        why = f"cannot be read: there is no such file; {alternatives(value, 'conf/augment')}"
        raise ConfigError(f"{source} names a file that cannot be used: {value}: {why}")
    try:
        return read_yaml(file)
    except ConfigError as error:
        raise ConfigError(f"{source} names a file that cannot be used: {error}") from error


def _parse_section(section: str, mapping: object) -> Any:
    kind = SECTIONS[section]
    return parse_named(kind, section, mapping) if isinstance(kind, Mapping) else parse(kind, section, mapping)


def _apply(merged: dict[Any, Any], override: Override) -> str:
    """Write one `section[.key]=value` into the mapping; returns the dotted key."""
    key, equals, text = override.text.partition("=")
    section, _, option = key.partition(".")
    if not equals or section not in (*SECTIONS, AUGMENT):
        known = choices(section, (*SECTIONS, AUGMENT))
        raise ConfigError(f"{override.given}: expected section.key=value; {hint(key)}{known}")
    value = parse_yaml(text, override.given)
    if not option:
        merged[section] = _augment_section(value, f"{override.given}:", False) if section == AUGMENT else value
    elif isinstance(merged.setdefault(section, {}), dict):
        merged[section][option] = value
    return key


def to_mapping(config: Config) -> dict[str, dict[str, Any]]:
    """Section -> options with every default written out, in plain YAML types; `from_mapping` reads it back."""
    mapping = {}
    for section, kind in SECTIONS.items():
        options = getattr(config, section)
        named = {"name": name_of(kind, options)} if isinstance(kind, Mapping) else {}
        mapping[section] = {**named, **plain(options)}
    mapping[AUGMENT] = augment_mapping(config.augment)
    return mapping


def to_yaml(config: Config) -> str:
    """The YAML of `to_mapping`."""
    return yaml.safe_dump(to_mapping(config), default_flow_style=None, sort_keys=False)


def get(config: Config, key: str) -> Any:
    """The value of a dotted key, `features.type` or `pooling.name`; a whole section without a dot.

    features.frame_rate, frames per second, and features.columns are no options: the features' option file says them.

    Raises:
        ConfigError: an unknown key, an option file that cannot be used, or one of other columns than features.dim.
    """
    if key in ("features.frame_rate", "features.columns"):
        return _of_option_file(config.features, key)
    value: Any = to_mapping(config)
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            known = value if isinstance(value, Mapping) else {}
            raise ConfigError(f'--get {key}: "{part}" is unknown; {choices(part, known)}')
        value = value[part]
    return value


def _of_option_file(features: FeatureOptions, key: str) -> float:
    # Here, as all other keys do without numpy and the features' code.
    from common.errors import KaldiError
    from nnet.features.frame_rate import frame_rate, num_columns

    file = located(features.config)
    if not file.exists():
        known = alternatives(features.config, "conf", "*.conf")
        raise ConfigError(f"features.config: {features.config}: there is no such file; {known}")
    try:
        if key == "features.frame_rate":
            return frame_rate(features.type, file)
        columns = num_columns(features.type, file)
    except (KaldiError, OSError) as error:
        raise ConfigError(f"features.config: {error}") from error
    if columns != features.dim:
        found = f"is {features.dim}, and {features.config} gives {features.type} of {columns} columns"
        raise ConfigError(f"features.dim {found}; set features.dim={columns}, or name another features.config")
    return columns


def list_choices() -> Iterator[str]:
    """Lines that show each section, its choices, and each option with its type and default."""
    for section, kind in SECTIONS.items():
        if isinstance(kind, Mapping):
            for name in sorted(kind):
                yield f"{section}: {{name: {name}}}"
                yield from option_lines(kind[name], 4)
        else:
            yield f"{section}:"
            yield from option_lines(kind, 4)
    yield from list_augment()


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; exit status 1 for a config that cannot be used."""
    parser = argparse.ArgumentParser(prog="python3 -m nnet.config", description="Check and show an experiment's YAML.")
    parser.add_argument("--config", metavar="FILE", help="the experiment, e.g. conf/nnet/mini.yaml")
    add_arguments(parser)
    action = parser.add_mutually_exclusive_group()
    shown = "print a key, features.frame_rate or features.columns; may be repeated"
    action.add_argument("--get", metavar="SECTION.KEY", action="append", help=shown)
    action.add_argument("--print", action="store_true", help="print the whole config with its defaults (the default)")
    action.add_argument("--list", action="store_true", help="print every section, choice and option; needs no --config")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(list_choices()))
        return 0
    if options.config is None:
        parser.error("--config is required")
    try:
        config = load(options.config, options.overrides)
        text = "\n".join(_plain(get(config, key)) for key in options.get or ()) or to_yaml(config).rstrip()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(text)
    return 0


def _plain(value: Any) -> str:
    """A value for a shell: a bare word or number, YAML for a list or a section."""
    if isinstance(value, (dict, list)):
        return yaml.safe_dump(value, default_flow_style=True, sort_keys=False).rstrip()
    return value if isinstance(value, str) else show(value)
