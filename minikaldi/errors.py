"""The one exception that minikaldi raises for bad input: its text says where, what was found, what was expected."""

from __future__ import annotations

import re

LONGEST_MESSAGE = 8192
"""Characters; a file's name may have half of them."""

# What a terminal would take for a command, a second line, or no character at all (bytes that are no UTF-8).
_ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def for_a_message(text: str) -> str:
    """The text of an error, fit for a terminal and a log whatever it quotes from a file.

    Odd characters are shown by their codes, but line breaks stay; of an endless text the middle is left out.
    """
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} … {text[-LONGEST_MESSAGE // 4 :]}"
    return _ODD.sub(lambda odd: repr(odd[0])[1:-1], text)


class KaldiError(Exception):
    """Bad input, file or option; the launcher prints the text as ``ERROR (command…)`` and exits 255."""

    def __init__(self, text: str) -> None:
        super().__init__(for_a_message(text))


class UsageError(KaldiError):
    """A command line that the command cannot accept; the usage is printed before the text, and the exit code is 1."""
