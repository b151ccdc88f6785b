"""The keys of an experiment's YAML, from the option tables of `nnet.config`."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from common.options import describe, range_of, sentence_of, show
from nnet.augment import AUDIO_STEPS, FEATURE_STEPS, SpeedOptions
from nnet.config.schema import SECTIONS
from recipe.reference.markdown import table_text, wrapped_text

AUGMENT = (
    "The name of a file, or a section with the keys `speed`, `audio` and `features`; what is left out is not done."
    " `audio` is a list of steps in order. Each entry is `{name, probability, options}`, or"
    " `{one_of: [{name, weight, options}, ...], probability}`, which draws one of its members by their weights."
    " `features` is a list of `{name, probability, options}`. `conf/augment/strong.yaml` is an example."
)


def keys_text() -> str:
    """Each section, each name that it offers, and each key with its type, default, range and meaning."""
    return "\n\n".join(_lines())


def _lines() -> Iterator[str]:
    for name, kind in SECTIONS.items():
        yield f"## {name}"
        if isinstance(kind, Mapping):
            names = ", ".join(f"`{choice}`" for choice in sorted(kind))
            yield wrapped_text(f"Chosen by `name`, one of: {names}.")
            for choice in sorted(kind):
                yield f"### {name}: {{name: {choice}}}"
                yield from _option_set(kind[choice])
        else:
            yield from _option_set(kind)
    yield "## augment"
    yield wrapped_text(AUGMENT)
    yield "### augment.speed"
    yield from _option_set(SpeedOptions)
    for part, table in (("audio", AUDIO_STEPS), ("features", FEATURE_STEPS)):
        for choice in sorted(table):
            yield f"### augment.{part}: {{name: {choice}}}"
            yield from _option_set(table[choice])


def _option_set(options_class: type[Any]) -> Iterator[str]:
    """The class's docstring, and a table of its keys; without a column that would be empty."""
    for paragraph in (inspect.getdoc(options_class) or "").split("\n\n"):
        yield wrapped_text(paragraph)
    fields = dataclasses.fields(options_class)
    if fields:
        hints = typing.get_type_hints(options_class)
        rows = [_row(field, hints[field.name]) for field in fields]
        width = 4 if any(sentence_of(field) for field in fields) else 3
        yield table_text(["key", "value", "default", "meaning"][:width], [row[:width] for row in rows])


def _row(field: dataclasses.Field[Any], kind: Any) -> list[str]:
    default = "required" if field.default is dataclasses.MISSING else f"`{show(field.default)}`"
    return [f"`{field.name}`", describe(kind, range_of(field)), default, sentence_of(field)]
