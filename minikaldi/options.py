"""Kaldi's command-line options, declared as dataclass fields.

Source: Kaldi util/parse-options.cc. Options stand before the first positional argument; `--` ends them; `_` and `-` are
the same in names, and case does not matter; `--flag` alone is `--flag=true`; `--config=file` holds one `--name=value`
per line and is read before the rest of the command line, which overrides it; `--help` is heard wherever it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from common.errors import UsageError
from common.text_lines import clean_lines, trimmed
from minikaldi.io.primitives import decode, show, show_key, to_float, to_int32

Value = bool | int | float | str
Options = TypeVar("Options")

_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_SHOWN_TYPE = {bool: "bool", int: "int", float: "float", str: "string"}


# A command inside a pipe may be called once per utterance: its declaration is read once.
_known_specs: dict[type[Any], dict[str, OptionSpec]] = {}


def option(default: Value, help: str) -> Any:
    """A dataclass field that is an option: ``num_ceps: int = option(13, "number of cepstra")`` is ``--num-ceps``."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclasses.dataclass
class StandardOptions:
    """What every command accepts."""

    config: str = option("", "Configuration file to read (this option may be repeated)")
    help: bool = option(False, "Print out usage message")
    no_pipes: bool = option(False, "Refuse commands in rspecifiers and scp lines (also MINIKALDI_NO_PIPES=1)")
    print_args: bool = option(True, "Print the command line arguments (to stderr)")
    verbose: int = option(0, "Verbose level (higher->more logging)")


@dataclasses.dataclass
class NoOptions:
    """The option set of a command without options of its own."""


@dataclasses.dataclass(frozen=True)
class OptionSpec:
    """One declared option: field name, type, default and help text."""

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


def option_specs(options: type[Any]) -> dict[str, OptionSpec]:
    """Declared options of a dataclass, its bases' included, by command-line name."""
    if options in _known_specs:
        return _known_specs[options]
    specs: dict[str, OptionSpec] = {}
    for field in dataclasses.fields(options):
        kind = _TYPES[field.type] if isinstance(field.type, str) else field.type
        spec = OptionSpec(field.name, kind, field.default, field.metadata.get("help", ""))
        specs[spec.name] = spec
    _known_specs[options] = specs
    return specs


def parse(argv: list[str], options: type[Options]) -> tuple[Options, StandardOptions, list[str]]:
    """Split a command line (without the command's name) into options and positional arguments.

    Args:
        argv: the words after the command's name.
        options: a dataclass whose fields were made by `option`.

    Returns:
        (options, standard options, positional arguments).

    Raises:
        UsageError: unknown option, bad value, unreadable configuration file.
    """
    if _asks_for_help(argv):
        return options(), StandardOptions(help=True), []
    specs = {**option_specs(StandardOptions), **option_specs(options)}
    given, args = _split(_joined(argv, specs) if getattr(options, "SPACED_VALUES", False) else argv)
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
    """Whether `--help` stands anywhere, whatever is wrong with the rest, as in Kaldi."""
    before_dashes = argv[: argv.index("--")] if "--" in argv else argv
    return any(word.startswith("--") and _name_and_value(word)[0] == "help" for word in before_dashes)


def _joined(argv: list[str], specs: dict[str, OptionSpec]) -> list[str]:
    """`--rate 16000` as `--rate=16000`, for a command whose options have `SPACED_VALUES: ClassVar[bool] = True`.

    Kaldi's own commands never take a value so; our programs that stand where recipes call sox do.
    """
    words, rest = [], list(argv)
    while rest and rest[0].startswith("--") and rest[0] != "--":
        word = rest.pop(0)
        spec = specs.get(_name_and_value(word)[0])
        takes_next = "=" not in word and spec is not None and spec.type is not bool and bool(rest)
        words.append(f"{word}={rest.pop(0)}" if takes_next else word)
    return words + rest


def _split(argv: list[str]) -> tuple[list[tuple[str, str | None, str]], list[str]]:
    """Options as (name, value or None, the word itself), and what follows them."""
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
        said = getattr(exc, "strerror", None) or exc
        raise UsageError(f"--config={path}: cannot read the configuration file: {said}") from exc
    for number, line in enumerate(clean_lines(content.split(b"\n"), path, UsageError), 1):
        word = decode(line.partition(b"#")[0].strip())
        if not word:
            continue
        if not word.startswith("--"):
            raise UsageError(f"{path}:{number}: found {show(word)}, expected --name=value")
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
        raise UsageError(f"Invalid option {word}: expected {_SHOWN_TYPE[spec.type]}, found {show(text or '')}") from exc


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


def usage_text(about: str, usage: str, options: type[Any]) -> str:
    """The text of ``--help``: what the command does, how it is called, its options and the standard ones."""
    own = [spec.describe() for _, spec in sorted(option_specs(options).items())]
    standard = [spec.describe() for _, spec in sorted(option_specs(StandardOptions).items())]
    block = ["Options:", *own, ""] if own else []
    return "\n".join(["", about, f"Usage: {usage}", "", *block, "Standard options:", *standard, "", ""])
