"""Names and values for bash: `name, number of values ("-" for a plain one), value ...`, a zero byte after each.

utils/recipe_calls.sh stores them by `printf -v`; nothing is ever evaluated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from recipe.command_line import as_given

DESCRIPTOR = 3


def fields_for_bash(values: Mapping[str, object]) -> bytes:
    """The fields of some names. A tuple becomes an array; true, false and "-" (none) are words."""
    words: list[str] = []
    for name, value in values.items():
        if isinstance(value, tuple):
            words += [name, str(len(value)), *map(as_given, value)]
        else:
            words += [name, "-", as_given(value)]
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def send_to_bash(values: Mapping[str, object]) -> None:
    """Give names to the bash script that has started this process."""
    rest = memoryview(fields_for_bash(values))
    while rest:
        rest = rest[os.write(DESCRIPTOR, rest) :]
