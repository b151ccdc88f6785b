"""One YAML describes one experiment: read strictly, changed by overrides, saved beside the checkpoints.

Reading a config imports no torch. `pooling={name: mean}` as an override replaces a whole section. Relative paths:
nnet/config/paths.py. Keys of earlier versions: nnet/config/renamed_keys.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from common.options import ConfigError, OptionError, UnknownKeyError, choices, name_of, plain, show
from common.yaml_text import read_yaml
from nnet.augment.schema import augment_mapping, parse_augment
from nnet.config.foreign_keys import hint
from nnet.config.merging import merge
from nnet.config.overrides import Override, as_override, blamed
from nnet.config.paths import alternatives, in_checkout, located
from nnet.config.schema import AUGMENT, SECTIONS, Config, parse_section
from nnet.config.sections import FeatureOptions

__all__ = ["Config", "from_mapping", "get", "load", "to_mapping", "to_yaml"]


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
    merged, origins = merge(mapping, source, map(as_override, overrides), of_checkout)
    _check_sections(merged, source)
    try:
        sections = {section: parse_section(section, merged[section]) for section in SECTIONS}
        return Config(**sections, augment=parse_augment(merged[AUGMENT]))
    except OptionError as error:
        hinted = error.hinted(hint(error.key)) if isinstance(error, UnknownKeyError) else error
        text = str(hinted).replace("\n", "\\n")  # a key of YAML may hold a line break
        raise ConfigError(f"{blamed(error.key, origins) or source}: {text}") from error


def _check_sections(merged: Mapping[Any, Any], source: str) -> None:
    """Raise ConfigError unless the sections are those of an experiment."""
    known = (*SECTIONS, AUGMENT)
    for section in merged:
        if section not in known:
            named = str(section)
            raise ConfigError(f"{source}: section {show(named)} is unknown; {hint(named)}{choices(named, known)}")
    missing = [section for section in SECTIONS if section not in merged]
    if missing:
        raise ConfigError(f"{source}: missing: {', '.join(missing)}; expected the sections {', '.join(SECTIONS)}")


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

    features.frame_rate (frames per second) and features.columns are not options: the features' option file has them.

    Raises:
        ConfigError: an unknown key, an option file that cannot be used, or whose columns are not features.dim.
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
    # Imported here: all other keys need neither numpy nor the features' code.
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
