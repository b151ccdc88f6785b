"""Keys and values of earlier versions, which are still read: in YAML files, in overrides, and in old checkpoints.

Each is reported once in a run, with its new name. Old name -> new name:

    encoder.seed_compatible: true   encoder.variant: sc (tdnn), jl (the others); false is the default of the encoder
    data.balance: seed              data.balance: jl
    data.source: wav                data.source: audio
    features.type: wave             features.type: samples
    features.config: conf/wave.conf features.config: conf/samples.conf
    augment.wave                    augment.audio
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import Any

from common.options import ConfigError, show
from nnet.config.paths import ROOT, located
from nnet.encoders import ENCODERS

log = logging.getLogger("config")

KEYS = {"augment.wave": "augment.audio", "encoder.seed_compatible": "encoder.variant"}
VALUES = {
    ("data.balance", "seed"): "jl",
    ("data.source", "wav"): "audio",
    ("features.type", "wave"): "samples",
}
FILES = {"conf/wave.conf": "conf/samples.conf"}
VARIANTS = {"tdnn": "sc"}
OTHER_VARIANT = "jl"

_reported: set[str] = set()


def renamed_key(key: str) -> str:
    """The present name of a dotted key."""
    return KEYS.get(key, key)


def renamed_file(path: str, source: str, key: str) -> str:
    """The present name of a file of the checkout; a file of the old name that exists is the user's own and stays.

    Args:
        path: the file, as the caller means it (`nnet.config.paths.callers`).
        source: where it comes from, for messages.
        key: the option that names it, for messages.
    """
    name = os.path.relpath(ROOT / path, ROOT)
    if name not in FILES or located(path).exists():
        return path
    _report(source, f"{key}: {name}", f"{key}: {FILES[name]}")
    return FILES[name]


def rename_old(sections: dict[Any, Any], source: str, override: bool = False) -> None:
    """Replace old keys and values of an experiment by their present names.

    Args:
        sections: section -> options; changed in place, but not the mappings in it.
        source: where it comes from, for messages.
        override: an old key was just set and counts, even beside the new one.

    Raises:
        ConfigError: an old key beside the new one, or an old key with a value that it could not have.
    """
    for key in KEYS:
        section, _, old = key.partition(".")
        options = sections.get(section)
        if isinstance(options, Mapping) and old in options:
            sections[section] = _with_new_key(key, options, source, override)
    for (key, value), new in VALUES.items():
        section, _, name = key.partition(".")
        options = sections.get(section)
        if isinstance(options, Mapping) and options.get(name) == value:
            sections[section] = {**options, name: new}
            _report(source, f"{key}: {value}", f"{key}: {new}")


def _with_new_key(key: str, options: Mapping[Any, Any], source: str, override: bool) -> Mapping[Any, Any]:
    old, new = key.partition(".")[2], KEYS[key].partition(".")[2]
    if key == "encoder.seed_compatible" and not _has_variant(options):
        return options
    if new in options and not override:
        raise ConfigError(f"{source}: has {key} and {KEYS[key]}, the old and the new name of one key; remove {key}")
    rest = {name: value for name, value in options.items() if name not in (old, new)}
    value = options[old]
    if key != "encoder.seed_compatible":
        _report(source, key, KEYS[key])
        return {**rest, new: value}
    if not isinstance(value, bool):
        raise ConfigError(f"{source}: {key} is {show(value)}; expected true or false, or {KEYS[key]} in its place")
    variant = VARIANTS.get(str(options["name"]), OTHER_VARIANT)
    _report(source, f"{key}: {show(value)}", f"{KEYS[key]}: {variant}" if value else f"no {KEYS[key]}, its default")
    return {**rest, new: variant} if value else rest


def _has_variant(options: Mapping[Any, Any]) -> bool:
    """Whether the encoder of the section has the option `variant`."""
    name = options.get("name")
    if not isinstance(name, str) or name not in ENCODERS:
        return False
    return "variant" in {field.name for field in dataclasses.fields(ENCODERS[name])}


def _report(source: str, old: str, new: str) -> None:
    """Log a warning, once for each old name in a process."""
    if old not in _reported:
        _reported.add(old)
        log.warning("%s: %s is the name of an earlier version; write %s", source, old, new)
