"""An experiment's mapping before it is parsed: overrides applied, file names resolved, old names replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from common.options import ConfigError, choices
from common.yaml_text import parse_yaml, read_yaml
from nnet.config.foreign_keys import hint
from nnet.config.overrides import Override, blamed
from nnet.config.paths import alternatives, callers, located
from nnet.config.renamed_keys import rename_old, renamed_file, renamed_key
from nnet.config.schema import AUGMENT, OPTIONAL, PATHS, SECTIONS

_ENDED = {"training.steps": {"epochs": None, "most_steps": None}}  # key -> options that no longer count then


def merge(
    mapping: Mapping[Any, Any], source: str, overrides: Iterable[Override], of_checkout: bool
) -> tuple[dict[Any, Any], dict[str, str]]:
    """The sections with the overrides applied.

    Args:
        mapping: section -> options; left as it is.
        source: where it comes from, for messages.
        overrides: applied in order.
        of_checkout: as for `nnet.config.experiment.from_mapping`.

    Returns:
        The sections, not checked yet, and which override set which key, in the user's words.

    Raises:
        ConfigError: an override that is not `section.key=value`, a section `augment` whose file cannot be read, or an
            old key beside the new one.
    """
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in mapping.items()}
    merged[AUGMENT] = _augment_section(merged.get(AUGMENT), f"{source}: {AUGMENT}", of_checkout)
    for section in OPTIONAL:
        merged.setdefault(section, {})
    rename_old(merged, source)
    origins: dict[str, str] = {}
    for override in overrides:
        key = _apply(merged, override)
        rename_old(merged, override.given, override=True)
        origins[renamed_key(key)] = override.given
    for key in PATHS:
        override_of_it = blamed(key, origins)
        _resolve(merged, key, not of_checkout or bool(override_of_it), override_of_it or source)
    return merged, origins


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
    elif isinstance(merged.setdefault(section, {}), Mapping):
        merged[section] = {**merged[section], **_ENDED.get(key, {}), option: value}
    return key


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


def _resolve(merged: dict[Any, Any], key: str, of_caller: bool, source: str) -> None:
    """Replace the file that an option names by the one that it means; an option that is not a text is left as it is."""
    section, _, name = key.partition(".")
    options = merged.get(section)
    if isinstance(options, Mapping) and isinstance(options.get(name), str):
        path = callers(options[name]) if of_caller else options[name]
        merged[section] = {**options, name: renamed_file(path, source, key)}
