"""The command line of ./pipeline.sh: each option's text as a value, checked and named where it was given.

The command line takes precedence over conf/preset/<name>.conf, this over conf/pipeline/<corpus>.conf, and this over
the defaults of recipe/options.py.
Standard library only.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import time
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.options import OptionError, choices, range_of
from recipe.options import FLAGS, FORMS, OPTIONS, PATHS, SOURCES, PipelineOptions, flag_of

COMMAND_LINE = "command line"
_INTEGER, _POSITIVE = re.compile(r"[0-9]{1,100}"), re.compile(r"[1-9][0-9]{0,99}")
_NUMBER = re.compile(r"[0-9]{1,100}(\.[0-9]*)?|\.[0-9]+")
_ANY_TEXT = re.compile(".*", re.DOTALL)
_KINDS = typing.get_type_hints(PipelineOptions)


def log_line(text: str) -> None:
    """A line of the recipe's log, with the time of day, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of the experiment: `section.key=value`, and the words in which the user gave it."""

    text: str
    given: str


@dataclasses.dataclass
class Given:
    """The options that were given so far.

    Args:
        called_from: the directory to which paths on the command line are relative.
        checkout: the directory in which the recipe works.
    """

    called_from: Path
    checkout: Path
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    found_in: dict[str, str] = dataclasses.field(default_factory=dict)
    corpus_changes: list[Change] = dataclasses.field(default_factory=list)

    def on_command_line(self, name: str) -> bool:
        """Whether an option was given there."""
        return self.found_in.get(name) == COMMAND_LINE

    def options(self) -> PipelineOptions:
        """All options, with the defaults of those that were not given."""
        return PipelineOptions(**self.values)

    def set(self, name: str, text: str, where: str) -> None:
        """Take one option.

        Args:
            name: as recipe/options.py has it.
            text: its value as it was given.
            where: "command line", or file and line.

        Raises:
            InputError: the option is unknown, or the value is invalid.
        """
        if name not in OPTIONS:
            raise InputError(f"{where}: {flag_of(name)} is unknown; choose from: {_known_flags()}")
        if name in PATHS and where == COMMAND_LINE:
            text = self._path(name, text)
        value = value_of(name, text, where)
        if name == "nnet_opts" and where != COMMAND_LINE:
            self.corpus_changes.append(Change(text, f"{where}: nnet_opts={text}"))
            return
        if _is_list(name):
            value = (*self.values.get(name, ()), *value)
        elif name in self.found_in and self.values[name] != value:
            self._given_twice(name, text, where)
        self.values[name], self.found_in[name] = value, where

    def forget(self, name: str) -> None:
        """Drop the value of an option, so that another file may give it one."""
        del self.values[name], self.found_in[name]

    def _path(self, name: str, text: str) -> str:
        """A path as the caller means it; a configuration that the caller does not have is the checkout's."""
        own = self.called_from / text
        if self.called_from == self.checkout or text.startswith(("/", "-")):
            return text
        return str(own) if not name.endswith("_config") or own.exists() else text

    def _given_twice(self, name: str, text: str, where: str) -> None:
        before = as_given(self.values[name])
        if name in SOURCES:
            raise InputError(f"{where}: {flag_of(name)} is given twice, as {before} and {text}; keep one")
        log_line(f"{where}: {flag_of(name)} is given twice: {text} is taken, {before} is not")


def _known_flags() -> str:
    return " ".join(map(flag_of, OPTIONS))


def as_given(value: object) -> str:
    """A value as the command line has it: "-" for none, true or false, a list between spaces."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(map(as_given, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _is_list(name: str) -> bool:
    return typing.get_origin(_KINDS[name]) is tuple


def value_of(name: str, text: str, where: str) -> Any:
    """The value that a text stands for.

    Raises:
        InputError: it is of another type, or out of its range.
    """
    if "\0" in text:
        raise InputError(f"{where}: {flag_of(name)} holds a zero byte")
    kind, optional = _KINDS[name], False
    if typing.get_origin(kind) in (typing.Union, types.UnionType):  # X | None
        kind, optional = typing.get_args(kind)[0], True
    if optional and text == "-":
        return None
    try:
        value = _converted(name, kind, text)
    except OptionError as error:
        end = f", or - for {'no limit' if name == 'max_steps' else 'the default'}" if optional else ""
        raise InputError(f"{where}: {flag_of(name)} {error.message}{end}") from error
    if name == "inference":
        for change in text.split():
            _check_inference(change, where)
    return value


def _converted(name: str, kind: Any, text: str) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        if text not in typing.get_args(kind):
            raise OptionError(name, f'is "{text}"; {choices(text, typing.get_args(kind))}')
        return text
    if kind is bool:
        form, make = re.compile("true|false"), lambda word: word == "true"
    elif kind is int:
        form, make = (_POSITIVE if range_of(OPTIONS[name]).least == 1 else _INTEGER), int
    elif kind is float:
        form, make = _NUMBER, float
    else:
        form = FORMS[name][0] if name in FORMS else _ANY_TEXT
        make = (lambda word: (word.rstrip("/") or word if name in PATHS else word,)) if _is_list(name) else str
    value = make(text) if form.fullmatch(text) else None
    if value is None or (kind in (int, float) and value not in range_of(OPTIONS[name])):
        raise OptionError(name, f'is "{text}"; expected {_expected(name, kind)}')
    return value


def _expected(name: str, kind: Any) -> str:
    """What a value must be, in words."""
    if name in FORMS:
        return FORMS[name][1]
    words = {bool: "true or false", int: "an integer", float: "a number"}[kind]
    return f"{words} {range_of(OPTIONS[name])}".rstrip()


def _check_inference(change: str, where: str) -> None:
    if not re.match(r".+=", change):
        example = '"mode=windows window=150 step=75"'
        raise InputError(f'{where}: --inference has "{change}"; expected key=value, e.g. {example}')


def read_command_line(words: Sequence[str], given: Given) -> None:
    """Take the options of a command line: `--name value`, `--name=value`, and flags without a value.

    Raises:
        InputError: a word that is no option, an unknown option, or an invalid value.
    """
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            continue
        elif not word.startswith("--"):
            raise InputError(f'found "{word}", expected an option; ./pipeline.sh --help lists them')
        else:
            flag, equals, text = word.removeprefix("--").partition("=")
            name = flag.replace("-", "_")
            if "_" in flag:  # allowed in a corpus file only
                end = f"use {flag_of(name)}" if name in OPTIONS else f"choose from: {_known_flags()}"
                raise InputError(f"{COMMAND_LINE}: --{flag} is unknown; {end}")
            if not equals:
                text = _next_value(name, flag, rest)
            given.set(name, text, COMMAND_LINE)


def _next_value(name: str, flag: str, rest: list[str]) -> str:
    if name in FLAGS and rest[:1] not in (["true"], ["false"]):
        return "true"
    if name in OPTIONS and not rest:
        raise InputError(f"--{flag} needs a value")
    return rest.pop(0) if name in OPTIONS else ""
