"""What is wrong with an option, in words: the exceptions of a configuration, and the parts of their messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from common.errors import InputError


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


def require(condition: bool, key: str, found: object, expected: str) -> None:
    """Raise OptionError for option `key` unless `condition` holds; for the range checks of an option set."""
    if not condition:
        raise OptionError(key, f"is {show(found)}; expected {expected}")


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
