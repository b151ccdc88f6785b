"""How the scripts of local/ end: counts and errors on stderr under the script's name, exit code 1 after an error."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _StoreOnce(argparse.Action):
    """Store a value; a second one would drop the first without a word, and is an error."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        given = vars(namespace).setdefault("_given", {})
        if option and given.setdefault(option, value) != value:
            parser.error(f"{option} is given twice, as {given[option]} and {value}; keep one")
        setattr(namespace, self.dest, value)


def new_parser(program: str, about: str | None) -> argparse.ArgumentParser:
    """A parser whose --help is the script's own docstring; options are not abbreviated, nor given twice."""
    parser = argparse.ArgumentParser(
        prog=program, description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.register("action", None, _StoreOnce)
    return parser


def add_max_loss(parser: argparse.ArgumentParser) -> None:
    """The option --max-loss, as every stage has it."""
    help_text = "share of the audio files that may be lost before this is an error (default %(default)s)"
    parser.add_argument("--max-loss", type=float, default=0.01, help=help_text)


def first_of(names: Sequence[str], count: int = 3) -> str:
    """`a, b, c and 7 more`: enough to find the trouble, never a whole corpus."""
    text = ", ".join(names[:count])
    return text if len(names) <= count else f"{text} and {len(names) - count} more"


def printable(name: str) -> str:
    """A file's name for a terminal or a table: control characters and bytes that are not UTF-8 by their codes."""
    return _ODD.sub(lambda odd: repr(odd[0])[1:-1], name)
