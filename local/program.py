"""What the scripts of local/ have in common: their command lines, and names in messages."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from common.errors import for_a_message
from common.program import Parser


class _StoreOnce(argparse.Action):
    """Store a value; another value for the same option is an error, not a silent replacement."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        given = vars(namespace).setdefault("_given", {})
        if option and given.setdefault(option, value) != value:
            parser.error(f"{option} is given twice, as {given[option]} and {value}; keep one")
        setattr(namespace, self.dest, value)


def new_parser(program: str, about: str | None) -> Parser:
    """A parser with the script's docstring as --help; options cannot be abbreviated or given twice."""
    parser = Parser(prog=program, description=about)
    parser.register("action", None, _StoreOnce)
    return parser


def add_max_loss(parser: argparse.ArgumentParser) -> None:
    """Add the option --max-loss."""
    help_text = "share of the audio files that may be lost before this is an error (default %(default)s)"
    parser.add_argument("--max-loss", type=float, default=0.01, help=help_text)


def first_of(names: Sequence[str], count: int = 3) -> str:
    """`a, b, c and 7 more`: the first names and the number of the others."""
    text = ", ".join(names[:count])
    return text if len(names) <= count else f"{text} and {len(names) - count} more"


def printable(name: str) -> str:
    """A file's name as one line: control characters and bytes that are not UTF-8 as their codes."""
    return for_a_message(name).replace("\n", "\\n")
