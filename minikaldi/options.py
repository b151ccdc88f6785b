"""Kaldi's command-line options, declared as dataclass fields.

Source: Kaldi util/parse-options.cc. Options come before the first positional argument; `--` ends them; `_` and `-` are
the same in names, and case does not matter; `--flag` alone is `--flag=true`; `--config=file` holds one `--name=value`
per line and is read before the rest of the command line, which overrides it; `--help` works in any position.

A field is made by `common.options.option` and has one of the types of Kaldi's options. Ranges are not checked here:
Kaldi's commands check what they need themselves, and in their order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from common.errors import UsageError, why
from common.options import option, sentence_of
from common.text_lines import clean_lines, trimmed
from minikaldi.io.primitives import decode, excerpt, show_key, to_float, to_int32

Value = bool | int | float | str

_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_SHOWN_TYPE = {bool: "bool", int: "int", float: "float", str: "string"}


# A command inside a pipe may be called once per utterance: its declaration is read once.
_known_specs: dict[type[CommandOptions], dict[str, OptionSpec]] = {}


@dataclasses.dataclass
class CommandOptions:
    """Base of the options of a command: a dataclass whose fields are made by `common.options.option`.

    Attributes:
        SPACED_VALUES: whether `--rate 16000` is read as `--rate=16000`. Kaldi's own commands never do; programs that
            recipes call where Kaldi's call sox do.
    """

    SPACED_VALUES: ClassVar[bool] = False


Options = TypeVar("Options", bound=CommandOptions)


@dataclasses.dataclass
class StandardOptions(CommandOptions):
    """The options of every command."""

    config: str = option("", "Configuration file to read (this option may be repeated)")
    help: bool = option(False, "Print out usage message")
    no_pipes: bool = option(False, "Refuse commands in rspecifiers and scp lines (also MINIKALDI_NO_PIPES=1)")
    print_args: bool = option(True, "Print the command line arguments (to stderr)")
    verbose: int = option(0, "Verbose level (higher->more logging)")


@dataclasses.dataclass
class NoOptions(CommandOptions):
    """The options of a command that has none of its own."""


@dataclasses.dataclass(frozen=True)
class OptionSpec:
    """One declared option.

    Attributes:
        field: name of the dataclass field.
        type: bool, int, float or str.
        default: its value if it is not given.
        help: its sentence.
    """

    field: str
    type: type
    default: Any
    help: str

    @property
    def name(self) -> str:
        """The name on the command line, without the dashes."""
        return self.field.replace("_", "-")

    def describe(self) -> str:
        """One line of ``--help``."""
        default = f'"{self.default}"' if self.type is str else _shown(self.default)
        return f"  --{self.name:<25} : {self.help} ({_SHOWN_TYPE[self.type]}, default = {default})"


def option_specs(options: type[CommandOptions]) -> dict[str, OptionSpec]:
    """The options that a dataclass and its bases declare, by command-line name."""
    if options in _known_specs:
        return _known_specs[options]
    specs: dict[str, OptionSpec] = {}
    for field in dataclasses.fields(options):
        kind = _TYPES[field.type] if isinstance(field.type, str) else field.type
        spec = OptionSpec(field.name, kind, field.default, sentence_of(field))
        specs[spec.name] = spec
    _known_specs[options] = specs
    return specs


def parse_command_line(argv: list[str], options: type[Options]) -> tuple[Options, StandardOptions, list[str]]:
    """Split a command line (without the command's name) into options and positional arguments.

    Args:
        argv: the words after the command's name.
        options: the class of the command's own options.

    Returns:
        (options, standard options, positional arguments).

    Raises:
        UsageError: unknown option, bad value, unreadable configuration file.
    """
    if _asks_for_help(argv):
        return options(), StandardOptions(help=True), []
    specs = {**option_specs(StandardOptions), **option_specs(options)}
    given, args = _split(_joined(argv, specs) if options.SPACED_VALUES else argv)
    values: dict[str, Any] = {}
    for name, text, _ in given:
        if name == "config" and text:
            _read_config(text, specs, values)
    for name, text, word in given:
        _set(specs, values, name, text, word)
    standard_names = set(option_specs(StandardOptions))
    standard = StandardOptions(**{s.field: values[n] for n, s in specs.items() if n in values and n in standard_names})
    own = options(**{s.field: values[n] for n, s in specs.items() if n in values and n not in standard_names})
    return own, standard, args


def _asks_for_help(argv: list[str]) -> bool:
    """Whether `--help` is given in any position, whatever is wrong with the rest, as in Kaldi."""
    before_dashes = argv[: argv.index("--")] if "--" in argv else argv
    return any(word.startswith("--") and _name_and_value(word)[0] == "help" for word in before_dashes)


def _joined(argv: list[str], specs: dict[str, OptionSpec]) -> list[str]:
    """`--rate 16000` as `--rate=16000`, for options with `SPACED_VALUES`."""
    words, rest = [], list(argv)
    while rest and rest[0].startswith("--") and rest[0] != "--":
        word = rest.pop(0)
        spec = specs.get(_name_and_value(word)[0])
        takes_next = "=" not in word and spec is not None and spec.type is not bool and bool(rest)
        words.append(f"{word}={rest.pop(0)}" if takes_next else word)
    return words + rest


def _split(argv: list[str]) -> tuple[list[tuple[str, str | None, str]], list[str]]:
    """Options as (name, value or None, the word itself), and the words after them."""
    given: list[tuple[str, str | None, str]] = []
    for i, word in enumerate(argv):
        if word == "--":
            return given, argv[i + 1 :]
        if not word.startswith("--"):
            return given, argv[i:]
        given.append((*_name_and_value(word), word))
    return given, []


def _name_and_value(word: str) -> tuple[str, str | None]:
    name, equals, value = word[2:].partition("=")
    return name.replace("_", "-").lower(), trimmed(value) if equals else None


def _read_config(path: str, specs: dict[str, OptionSpec], values: dict[str, Any]) -> None:
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as exc:  # ValueError: a zero byte in the name
        raise UsageError(f"--config={path}: cannot read the configuration file: {why(exc)}") from exc
    for number, line in enumerate(clean_lines(content.split(b"\n"), path, UsageError), 1):
        word = decode(line.partition(b"#")[0].strip())
        if not word:
            continue
        if not word.startswith("--"):
            raise UsageError(f"{path}:{number}: found {excerpt(word)}, expected --name=value")
        name, text = _name_and_value(word)
        _set(specs, values, name, text, f"{show_key(word)} in config file {path}:{number}")


def _set(specs: dict[str, OptionSpec], values: dict[str, Any], name: str, text: str | None, word: str) -> None:
    spec = specs.get(name)
    if spec is None:
        raise UsageError(f"Invalid option {word}")
    if text is None and spec.type is not bool:
        raise UsageError(f"Invalid option {word} (option format is --x=y)")
    if text == "" and spec.type is bool:
        raise UsageError(f"Invalid option {word} (give true or false after =)")
    try:
        values[name] = _CONVERTERS[spec.type](text if text is not None else "true")
    except ValueError as exc:
        raise UsageError(
            f"Invalid option {word}: expected {_SHOWN_TYPE[spec.type]}, found {excerpt(text or '')}"
        ) from exc


def _to_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("true", "t", "1"):
        return True
    if lowered in ("false", "f", "0"):
        return False
    raise ValueError(text)


_CONVERTERS: dict[type, Callable[[str], Value]] = {bool: _to_bool, int: to_int32, float: to_float, str: str}


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def usage_text(about: str, usage: str, options: type[CommandOptions]) -> str:
    """The text of ``--help``: what the command does, how it is called, its options and the standard ones."""
    own = [spec.describe() for _, spec in sorted(option_specs(options).items())]
    standard = [spec.describe() for _, spec in sorted(option_specs(StandardOptions).items())]
    block = ["Options:", *own, ""] if own else []
    return "\n".join(["", about, f"Usage: {usage}", "", *block, "Standard options:", *standard, "", ""])
