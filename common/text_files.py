"""Text files by their lines, read and written whatever the locale; bytes that are not UTF-8 pass unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

from common.errors import InputError

BLOCK_LINES = 4096


def open_text(path: Path | str, mode: str = "r") -> TextIO:
    """A table's stream: UTF-8, newlines as they stand."""
    return cast(TextIO, path_of(path).open(mode, encoding="utf-8", errors="surrogateescape", newline="\n"))


def path_of(path: Path | str) -> Path:
    """The path of a name that a user gave; InputError if no file can have it."""
    if "\0" in str(path):
        raise InputError(f"{path}: no file's name has a zero byte in it")
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
