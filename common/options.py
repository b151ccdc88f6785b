"""From a YAML mapping to a frozen dataclass, strictly: an unknown key, a wrong type or a missing value is an error.

An option set is a frozen dataclass; the field's annotation is its type. Known annotations: ``bool``, ``int``,
``float``, ``str``, ``Literal["a", "b"]``, ``X | None``, ``tuple[int, int]`` (one number stands for both),
``tuple[int, ...]``, ``tuple[W, ...]`` of a subclass W of ``Weighted``, ``dict[str, X]``, and another option set.
A field made by ``option`` carries its sentence and its range; a subclass of ``OptionSet`` checks the ranges.
A set that is chosen by name (a pooling, a schedule) is an entry of a table ``name -> dataclass``.
Rules over several fields are checked in ``__post_init__``, with ``require``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal, TypeVar

from common.errors import InputError

Options = TypeVar("Options")
OptionTable = Mapping[str, type[Any]]

REQUIRED: Any = dataclasses.MISSING
"""The default of an option that must be given."""


class ConfigError(InputError):
    """A configuration that cannot be used. The message names the file, the key, what was found and what to do."""


class OptionError(InputError):
    """One wrong value: ``key`` is relative to the option set; the reader of the file adds its name.

    Attributes:
        key: dotted name of the option.
        message: what was found, and what was expected.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key} {message}")
        self.key = key
        self.message = message


class UnknownKeyError(OptionError):
    """A key that an option set does not have.

    Attributes:
        choices: the end of the message, all keys that there are.
    """

    def __init__(self, key: str, choices: str, hint: str = "") -> None:
        super().__init__(key, f"is unknown; {hint}{choices}")
        self.choices = choices

    def hinted(self, hint: str) -> UnknownKeyError:
        """The same error with a hint before the choices, as ``"see the section data; "``."""
        return UnknownKeyError(self.key, self.choices, hint)


@dataclasses.dataclass(frozen=True)
class Range:
    """Which values of a number are allowed; a bound that is None does not bind."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        bounds = ((">=", self.least), (">", self.above), ("<=", self.most), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def option(
    default: Any,
    sentence: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field that is an option: ``components: int = option(32, "entries of the dictionary", least=1)``.

    Args:
        default: its value if none is given; `REQUIRED` if one must be given.
        sentence: what it is, with its unit; ``--help``, ``--list`` and the reference print it.
        least: smallest allowed value.
        most: largest allowed value.
        above: allowed values are larger.
        below: allowed values are smaller.
    """
    metadata = {"help": sentence, "range": Range(least, most, above, below)}
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def sentence_of(field: dataclasses.Field[Any]) -> str:
    """What an option is, as its declaration says; "" if it was not made by `option`."""
    sentence: str = field.metadata.get("help", "")
    return sentence


def range_of(field: dataclasses.Field[Any]) -> Range:
    """The allowed values of an option; without bounds if it was not made by `option`."""
    allowed: Range = field.metadata.get("range", Range())
    return allowed


def check_ranges(options: Any) -> None:
    """Raise OptionError for the first option whose value is out of its range; a list is checked item by item."""
    for field in dataclasses.fields(options):
        allowed, value = range_of(field), getattr(options, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
            require(not is_number or number in allowed, field.name, value, str(allowed))


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

    A subclass says in `table` which names there are.
    """

    options: Any
    weight: float = 1.0
    table: ClassVar[OptionTable] = {}

    def __post_init__(self) -> None:
        require(0 < self.weight < float("inf"), "weight", self.weight, "a positive number")


def require(condition: bool, key: str, found: object, expected: str) -> None:
    """Raise OptionError for option `key` unless `condition` holds; for the range checks of an option set."""
    if not condition:
        raise OptionError(key, f"is {show(found)}; expected {expected}")


def at_least(minimum: float, **values: float | None) -> None:
    """Raise OptionError unless each value that is set is at least `minimum`."""
    for key, value in values.items():
        require(value is None or value >= minimum, key, value, f"at least {minimum}")


def show(value: object) -> str:
    """A value as YAML would show it: strings in double quotes, lists in brackets, true, false, null in lower case."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return show(list(value))
    if isinstance(value, str):
        return f'"{value}"' if value.isprintable() else repr(value)
    return str(value)


def choices(wrong: str, right: Iterable[str]) -> str:
    """The end of an error message: all choices, and the nearest one where the word looks misspelt."""
    names = sorted(right)
    nearest = difflib.get_close_matches(wrong, names, n=1)
    hint = f' (did you mean "{nearest[0]}"?)' if nearest else ""
    return f"choose one of: {', '.join(names)}{hint}"


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
    """An entry of a list of weighted parts; the weight is 1 where it has none.

    Raises:
        OptionError: as `parse_named`, or a weight that is no positive number.
    """
    named, weight = mapping, 1.0
    if isinstance(mapping, Mapping):
        named = {key: value for key, value in mapping.items() if key != "weight"}
        weight = convert(float, f"{section}.weight", mapping.get("weight", 1.0))
    try:
        return kind(parse_named(kind.table, section, named), weight)
    except OptionError as error:
        if error.key == "weight":  # from __post_init__, which does not know its section
            raise OptionError(f"{section}.weight", error.message) from error
        raise


def plain(options: Any) -> dict[str, Any]:
    """An option set as a mapping of plain YAML types, which `parse` reads back: tuples become lists."""
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
    """The name that `options`'s class has in `table`; each class stands there once."""
    return next(name for name, options_class in table.items() if type(options) is options_class)


def parse(options_class: type[Options], section: str, mapping: object) -> Options:
    """`options_class` filled from `mapping`; the defaults of the class stand for what the mapping leaves out.

    Args:
        options_class: the option set.
        section: its dotted name, which begins the keys in messages; "" for a whole file.
        mapping: the values as YAML gives them.

    Raises:
        OptionError: an unknown or missing key, a value of the wrong type, or one that the class itself refuses.
    """
    if not isinstance(mapping, Mapping):
        raise OptionError(section, f"is {show(mapping)}; expected a mapping of options")
    hints = typing.get_type_hints(options_class)
    fields = {field.name: field for field in dataclasses.fields(options_class)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise UnknownKeyError(_dotted(section, key), choices(str(key), fields))
    for key, field in fields.items():
        if key not in mapping and field.default is dataclasses.MISSING:
            raise OptionError(_dotted(section, key), f"is missing; expected {describe(hints[key])}")
    values = {key: convert(hints[key], _dotted(section, key), value) for key, value in mapping.items()}
    try:
        return options_class(**values)
    except OptionError as error:  # from __post_init__, which does not know its section
        raise OptionError(_dotted(section, error.key), error.message) from error
    except ValueError as error:
        raise OptionError(section, f"cannot be used: {error}") from error


def _dotted(section: str, key: object) -> str:
    return f"{section}.{key}" if section else str(key)  # "": the whole file


def convert(kind: Any, key: str, value: object) -> Any:
    """`value` as the annotation `kind` asks for it.

    Raises:
        OptionError: the value is of another type; a number never becomes a string, nor true a number.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):  # X | None
        return None if value is None else convert(arguments[0], key, value)
    if origin is Literal:
        if value not in arguments:
            raise OptionError(key, f"is {show(value)}; {choices(str(value), arguments)}")
        return value
    if origin is tuple:
        return _convert_tuple(arguments, key, value)
    if kind is float:
        return _convert_float(key, value)
    if origin is dict:
        return _convert_mapping(arguments[1], key, value)
    if issubclass(kind, Weighted):
        return parse_weighted(kind, key, value)
    if issubclass(kind, OptionSet):
        return parse(kind, key, value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise OptionError(key, f"is {show(value)}; expected {describe(kind)}")


def _convert_float(key: str, value: object) -> float:
    """A float from a number, or from `1e-4`, which YAML 1.1 (and so PyYAML) takes for a string."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise OptionError(key, f"is {show(value)}; expected {describe(float)}")


def _convert_tuple(arguments: tuple[Any, ...], key: str, value: object) -> tuple[Any, ...]:
    """A tuple from a list; where the length is fixed, one scalar stands for every place."""
    fixed = Ellipsis not in arguments
    if fixed and isinstance(value, (int, float)):
        value = [value] * len(arguments)
    if not isinstance(value, (list, tuple)) or (fixed and len(value) != len(arguments)):
        raise OptionError(key, f"is {show(value)}; expected {_describe_tuple(arguments)}")
    return tuple(convert(arguments[0], f"{key}[{index}]", item) for index, item in enumerate(value))


def _convert_mapping(kind: Any, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(key, f"is {show(value)}; expected {describe(dict[str, kind])}")
    return {str(name): convert(kind, f"{key}.{name}", item) for name, item in value.items()}


def option_lines(options_class: type[Any], indent: int) -> Iterator[str]:
    """For ``--list``: a line for each option with its type, range and default, and its sentence."""
    hints = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        default = "required" if field.default is dataclasses.MISSING else f"default {show(field.default)}"
        kind = " ".join(filter(None, (describe(hints[field.name]), str(range_of(field)))))
        sentence = f": {sentence_of(field)}" if sentence_of(field) else ""
        yield f"{' ' * indent}{field.name}: {kind} ({default}){sentence}"


def describe(kind: Any) -> str:
    """An annotation in words, for messages and for ``--list``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return f"{describe(arguments[0])} or null"
    if origin is Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin is tuple:
        return _describe_tuple(arguments)
    if origin is dict:
        return f"a mapping from names, each to {describe(arguments[1])}"
    if issubclass(kind, OptionSet):
        return "a mapping of options"
    if issubclass(kind, Weighted):
        return f"{{name, weight, options}} with a name of {', '.join(sorted(kind.table))}"
    return {bool: "true or false", int: "an integer", float: "a number", str: "a string"}[kind]


def _describe_tuple(arguments: tuple[Any, ...]) -> str:
    item = describe(arguments[0])
    return f"a list, each {item}" if Ellipsis in arguments else f"a list of {len(arguments)}, each {item}, or one"
