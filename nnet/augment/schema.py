"""Reading the section `augment` strictly, writing it back, and listing what it may hold.

    speed: {factors: [0.9, 1.1], new_speakers: true}
    wave:
      - {name: room, probability: 0.6}
      - one_of: [{name: noise, weight: 1}, {name: babble, weight: 2, voices: [3, 7]}]
        probability: 0.8
    features:
      - {name: time_mask, probability: 0.3, width: [1, 20], fill: mean}

Each part may be left out. The names and their options are in nnet/augment/__init__.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common.options import (
    OptionError,
    OptionTable,
    choices,
    convert,
    name_of,
    option_lines,
    parse,
    parse_named,
    plain,
    show,
)
from nnet.augment import FEATURE_STEPS, WAVE_STEPS, AugmentOptions, OneOf, SpeedOptions, Step

KEYS = ("speed", "wave", "features")


def parse_augment(mapping: object, section: str = "augment") -> AugmentOptions:
    """The options that a mapping describes.

    Raises:
        OptionError: names the key, what was found and the choices.
    """
    if not isinstance(mapping, Mapping):
        raise OptionError(section, f"is {show(mapping)}; expected a file's name, or a mapping of {', '.join(KEYS)}")
    for key in mapping:
        if key not in KEYS:
            raise OptionError(f"{section}.{key}", f"is unknown; {choices(str(key), KEYS)}")
    speed = mapping.get("speed")
    return AugmentOptions(
        None if speed is None else parse(SpeedOptions, f"{section}.speed", speed),
        tuple(_each(mapping, section, "wave", _wave_step)),
        tuple(_each(mapping, section, "features", lambda key, item: _step(FEATURE_STEPS, key, item, "probability"))),
    )


def _each(mapping: Mapping[Any, Any], section: str, name: str, read: Callable[[str, object], Any]) -> Iterator[Any]:
    items = mapping.get(name)
    if items is None:
        return
    if not isinstance(items, list):
        raise OptionError(f"{section}.{name}", f"is {show(items)}; expected a list of steps")
    for index, item in enumerate(items):
        yield read(f"{section}.{name}[{index}]", item)


def _wave_step(key: str, item: object) -> Step | OneOf:
    if not isinstance(item, Mapping) or "one_of" not in item:
        return _step(WAVE_STEPS, key, item, "probability")
    for name in item:
        if name not in ("one_of", "probability"):
            raise OptionError(f"{key}.{name}", f"is unknown; {choices(str(name), ('one_of', 'probability'))}")
    members = tuple(_each(item, key, "one_of", lambda inner, one: _step(WAVE_STEPS, inner, one, "weight")))
    if sum(member.share for member in members) <= 0:
        raise OptionError(f"{key}.one_of", "has no member with a weight above 0")
    return OneOf(members, _share(item, key, "probability"))


def _step(table: OptionTable, key: str, item: object, share: str) -> Step:
    options = {name: value for name, value in item.items() if name != share} if isinstance(item, Mapping) else item
    return Step(parse_named(table, key, options), _share(item, key, share))


def _share(item: object, key: str, name: str) -> float:
    """The probability, or the weight, of an entry; 1 if it has none."""
    value = item.get(name, 1.0) if isinstance(item, Mapping) else 1.0
    share: float = convert(float, f"{key}.{name}", value)
    limit = 1.0 if name == "probability" else float("inf")
    if not 0 <= share <= limit or share == float("inf"):
        expected = "a number >= 0 and <= 1" if name == "probability" else "a number >= 0"
        raise OptionError(f"{key}.{name}", f"is {show(value)}; expected {expected}")
    return share


def augment_mapping(augment: AugmentOptions) -> dict[str, Any]:
    """What `parse_augment` reads back, in plain YAML types with every default written out; empty parts are left out."""
    mapping: dict[str, Any] = {}
    if augment.speed is not None:
        mapping["speed"] = plain(augment.speed)
    if augment.wave:
        mapping["wave"] = [_plain_entry(entry) for entry in augment.wave]
    if augment.features:
        mapping["features"] = [_plain_step(FEATURE_STEPS, step, "probability") for step in augment.features]
    return mapping


def _plain_entry(entry: Step | OneOf) -> dict[str, Any]:
    if isinstance(entry, Step):
        return _plain_step(WAVE_STEPS, entry, "probability")
    members = [_plain_step(WAVE_STEPS, member, "weight") for member in entry.members]
    return {"one_of": members, "probability": entry.probability}


def _plain_step(table: OptionTable, step: Step, share: str) -> dict[str, Any]:
    return {"name": name_of(table, step.options), share: step.share, **plain(step.options)}


def list_augment() -> Iterator[str]:
    """Lines that show what the section may hold."""
    yield "augment: a file's name, or these parts; what is left out is not done"
    yield "    speed:"
    yield from option_lines(SpeedOptions, 8)
    yield "    wave: a list, each {name, probability, options} or {one_of: [{name, weight, options}], probability}"
    for name, options in WAVE_STEPS.items():
        yield f"        {{name: {name}}}"
        yield from option_lines(options, 12)
    yield "    features: a list, each {name, probability, options}"
    for name, masks in FEATURE_STEPS.items():
        yield f"        {{name: {name}}}"
        yield from option_lines(masks, 12)
