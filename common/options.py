"""From a YAML mapping to a frozen dataclass, strictly: an unknown key, a wrong type or a missing value is an error.

An option set is a frozen dataclass; the field's annotation is its type. Known annotations: ``bool``, ``int``,
``float``, ``str``, ``Literal["a", "b"]``, ``X | None``, ``tuple[int, int]`` (one number counts for both),
``tuple[int, ...]``, ``tuple[W, ...]`` of a subclass W of ``Weighted``, ``dict[str, X]``, another option set, and
``Any``, which is not checked.
A field made by ``option`` carries its sentence and its range; a subclass of ``OptionSet`` checks the ranges.
A set that is chosen by name (a pooling, a schedule) is an entry of a table ``name -> dataclass``.
Rules over several fields are checked in ``__post_init__``, with ``require``.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal, TypeVar

from common.option_errors import ConfigError, OptionError, UnknownKeyError, choices, require, show
from common.option_ranges import ANY, REQUIRED, Range, check_ranges, option, range_of, sentence_of

__all__ = [
    "REQUIRED",
    "ConfigError",
    "OptionError",
    "OptionSet",
    "OptionTable",
    "UnknownKeyError",
    "Weighted",
    "choices",
    "describe",
    "name_of",
    "option",
    "option_lines",
    "parse",
    "parse_named",
    "parse_weighted",
    "part_of",
    "plain",
    "range_of",
    "read_value",
    "require",
    "sentence_of",
    "show",
]

Options = TypeVar("Options")
OptionTable = Mapping[str, type[Any]]


@dataclasses.dataclass(frozen=True)
class OptionSet:
    """Base of a frozen dataclass of options: their ranges are checked when one is made.

    A subclass with rules over several options calls ``super().__post_init__()`` first.
    """

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclasses.dataclass(frozen=True)
class Weighted:
    """One of several parts that are chosen by name, with its weight: ``{name: aam, weight: 0.5, margin: 0.2}``.

    A subclass lists in `table` the names that there are.
    """

    options: Any
    weight: float = 1.0
    table: ClassVar[OptionTable] = {}

    def __post_init__(self) -> None:
        require(0 < self.weight < float("inf"), "weight", self.weight, "a positive number")


def parse_named(table: OptionTable, section: str, mapping: object) -> Any:
    """The option set that `mapping`'s key ``name`` chooses from `table`, filled from the rest of the mapping.

    Raises:
        OptionError: no mapping, no name, an unknown name (the message lists the choices), or a wrong option.
    """
    if not isinstance(mapping, Mapping) or "name" not in mapping:
        raise OptionError(section, f'has no "name"; {choices("", table)}')
    name = mapping["name"]
    if not isinstance(name, str) or name not in table:
        raise OptionError(section, f"{show(name)} is unknown; {choices(str(name), table)}")
    return parse(table[name], section, {key: value for key, value in mapping.items() if key != "name"})


def parse_weighted(kind: type[Weighted], section: str, mapping: object) -> Weighted:
    """An entry of a list of weighted parts; the weight is 1 if it has none.

    Raises:
        OptionError: as `parse_named`, or a weight that is not a positive number.
    """
    named, weight = mapping, 1.0
    if isinstance(mapping, Mapping):
        named = {key: value for key, value in mapping.items() if key != "weight"}
        weight = read_value(float, f"{section}.weight", mapping.get("weight", 1.0))
    try:
        return kind(parse_named(kind.table, section, named), weight)
    except OptionError as error:
        if error.key == "weight":  # from __post_init__, which does not know its section
            raise OptionError(f"{section}.weight", error.message) from error
        raise


def plain(options: Any) -> dict[str, Any]:
    """An option set as a mapping of plain YAML types, which `parse` reads back; tuples become lists."""
    return {field.name: _plain_value(getattr(options, field.name)) for field in dataclasses.fields(options)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Weighted):
        return {"name": name_of(value.table, value.options), "weight": value.weight, **plain(value.options)}
    return [_plain_value(item) for item in value] if isinstance(value, tuple) else value


def part_of(options: Any) -> Any:
    """The class that an option set names as its ``implementation``, `package.module:Class`; imported here."""
    module, _, name = options.implementation.partition(":")
    return getattr(import_module(module), name)


def name_of(table: OptionTable, options: object) -> str:
    """The name that `options`'s class has in `table`; each class is in it once."""
    return next(name for name, options_class in table.items() if type(options) is options_class)


def parse(options_class: type[Options], section: str, mapping: object) -> Options:
    """`options_class` filled from `mapping`; what the mapping leaves out has the default of the class.

    Args:
        options_class: the option set.
        section: its dotted name, with which keys in messages begin; "" for a whole file.
        mapping: the values as YAML gives them.

    Raises:
        OptionError: an unknown or missing key, a value of the wrong type, or one that the class itself refuses.
    """
    if not isinstance(mapping, Mapping):
        raise OptionError(section, f"is {show(mapping)}; expected a mapping of options")
    hints = _type_hints(options_class)  # type: ignore[arg-type]
    fields = {field.name: field for field in dataclasses.fields(options_class)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise UnknownKeyError(_dotted(section, key), choices(str(key), fields))
    for key, field in fields.items():
        if key not in mapping and field.default is dataclasses.MISSING:
            raise OptionError(_dotted(section, key), f"is missing; expected {describe(hints[key], range_of(field))}")
    values = {
        key: read_value(hints[key], _dotted(section, key), value, range_of(fields[key]))
        for key, value in mapping.items()
    }
    try:
        return options_class(**values)
    except OptionError as error:  # from __post_init__, which does not know its section
        raise OptionError(_dotted(section, error.key), error.message) from error
    except ValueError as error:
        raise OptionError(section, f"cannot be used: {error}") from error


@functools.cache
def _type_hints(options_class: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(options_class)


def _dotted(section: str, key: object) -> str:
    return f"{section}.{key}" if section else str(key)


def read_value(kind: Any, key: str, value: object, allowed: Range = ANY) -> Any:
    """`value` as the annotation `kind` asks for it. The range is not checked here, only named in the message.

    Raises:
        OptionError: the value is of another type; a number never becomes a string, nor true a number.
    """
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):  # X | None
        return None if value is None else read_value(arguments[0], key, value, allowed)
    if origin is Literal:
        if value not in arguments:
            raise OptionError(key, f"is {show(value)}; {choices(str(value), arguments)}")
        return value
    if origin is tuple:
        return _read_tuple(kind, key, value, allowed)
    if kind is float:
        return _read_float(key, value, allowed)
    if origin is dict:
        return _read_mapping(kind, key, value)
    if issubclass(kind, Weighted):
        return parse_weighted(kind, key, value)
    if issubclass(kind, OptionSet):
        return parse(kind, key, value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise OptionError(key, f"is {show(value)}; expected {describe(kind, allowed)}")


def _read_float(key: str, value: object, allowed: Range) -> float:
    """A float from a number, or from `1e-4`, which YAML 1.1 (and so PyYAML) takes for a string."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise OptionError(key, f"is {show(value)}; expected {describe(float, allowed)}")


def _read_tuple(kind: Any, key: str, value: object, allowed: Range) -> tuple[Any, ...]:
    """A tuple from a list; if the length is fixed, one scalar counts for every place."""
    arguments = typing.get_args(kind)
    fixed = Ellipsis not in arguments
    if fixed and isinstance(value, (int, float)):
        value = [value] * len(arguments)
    if not isinstance(value, (list, tuple)) or (fixed and len(value) != len(arguments)):
        raise OptionError(key, f"is {show(value)}; expected {describe(kind, allowed)}")
    return tuple(read_value(arguments[0], f"{key}[{index}]", item, allowed) for index, item in enumerate(value))


def _read_mapping(kind: Any, key: str, value: object) -> dict[str, Any]:
    """A mapping from names to values of one kind."""
    if not isinstance(value, Mapping):
        raise OptionError(key, f"is {show(value)}; expected {describe(kind)}")
    item_kind = typing.get_args(kind)[1]
    return {str(name): read_value(item_kind, f"{key}.{name}", item) for name, item in value.items()}


def option_lines(options_class: type[Any], indent: int) -> Iterator[str]:
    """For ``--list``: a line for each option with its type, range, default and sentence."""
    hints = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        default = "required" if field.default is dataclasses.MISSING else f"default {show(field.default)}"
        sentence = f": {sentence_of(field)}" if sentence_of(field) else ""
        yield f"{' ' * indent}{field.name}: {describe(hints[field.name], range_of(field))} ({default}){sentence}"


def describe(kind: Any, allowed: Range = ANY) -> str:
    """An annotation and its range in words, ``an integer >= 1 or null``: for messages and for ``--list``."""
    if kind is Any:
        return "any value"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return f"{describe(arguments[0], allowed)} or null"
    if origin is Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin is tuple:
        item = describe(arguments[0], allowed)
        if Ellipsis in arguments:
            return f"a list, each {item}"
        return f"a list of {len(arguments)}, each {item}, or one for all"
    if origin is dict:
        return f"a mapping from names, each to {describe(arguments[1], allowed)}"
    if issubclass(kind, OptionSet):
        return "a mapping of options"
    if issubclass(kind, Weighted):
        return f"{{name, weight, options}} with a name of {', '.join(sorted(kind.table))}"
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}[kind]
    return f"{words} {allowed}".rstrip()
