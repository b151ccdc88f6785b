"""Text files as lines, read and written in the same way in any locale; bytes that are not UTF-8 pass unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

from common.errors import InputError

BLOCK_LINES = 4096


def open_text(path: Path | str, mode: str = "r") -> TextIO:
    """The stream of a table: UTF-8, newlines unchanged."""
    return cast(TextIO, path_of(path).open(mode, encoding="utf-8", errors="surrogateescape", newline="\n"))


def path_of(path: Path | str) -> Path:
    """The path of a name that a user gave.

    Raises:
        InputError: no file can have this name.
    """
    if "\0" in str(path):
        raise InputError(f"{path}: a file name cannot contain a zero byte")
    return Path(path)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines, some thousand at a time."""
    rest = iter(lines)
    while batch := list(islice(rest, BLOCK_LINES)):
        yield batch


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write lines to a stream, a newline after each."""
    for batch in batches(lines):
        stream.write("\n".join(batch) + "\n")
