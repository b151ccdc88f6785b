"""The columns of large lists of ids: a block of lines is split at once, as bytes.

The rules are those of `common.text_lines`. A block whose lines do not all have the same number of fields, or with
another fault, is read line by line, by whoever knows what to say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.text_lines import BLANKS, byte_blocks, fields_of, lines_of

BLOCK_BYTES = 1 << 20
_BLANK, _TEXT, _NEWLINE = 0, 1, 2
_KINDS = bytes(
    _NEWLINE if code == ord("\n") else _BLANK if chr(code) in BLANKS else _TEXT for code in range(256)
)  # fmt: skip


@dataclass(frozen=True)
class LineBlock:
    """Some lines of a file.

    Attributes:
        first: number of the first line, from 1.
        data: the lines, without byte order mark.
    """

    first: int
    data: bytes

    def columns(self, count: int) -> tuple[NDArray[np.int64], list[bytes]] | None:
        """The lines that are not blank, if each has `count` fields.

        Returns:
            Number of each line, int64 (N,), and N · `count` fields, those of a line after one another; else None.
        """
        kinds = np.frombuffer(self.data.translate(_KINDS), dtype=np.uint8)
        is_text = np.append(kinds == _TEXT, False)
        newlines = np.flatnonzero(kinds == _NEWLINE)
        if not self.data.endswith(b"\n"):
            newlines = np.append(newlines, len(kinds))
        starts = np.flatnonzero(is_text[1:] & ~is_text[:-1]) + 1
        if is_text[0]:
            starts = np.concatenate([[0], starts])
        lines = np.arange(self.first, self.first + len(newlines))
        if not _each_has(starts, newlines, count):
            per_line = np.diff(np.searchsorted(starts, newlines), prepend=0)
            filled = per_line > 0
            if (per_line[filled] != count).any():
                return None
            lines = lines[filled]
        return lines, self.data.split()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(number, fields) of each line that is not blank."""
        for number, line in enumerate(lines_of(self.data), self.first):
            if fields := fields_of(line):
                yield number, fields


def _each_has(starts: NDArray[np.intp], newlines: NDArray[np.intp], count: int) -> bool:
    """Whether there are `count` starts of fields before the first newline, and between any two."""
    if len(starts) != count * len(newlines):
        return False
    last, first = starts[count - 1 :: count], starts[::count]
    return bool((last < newlines).all() and (first[1:] > newlines[:-1]).all())


def line_blocks_of(path: str | Path) -> Iterator[LineBlock]:
    """The lines of a file in blocks of about a megabyte. What its line ends are is logged.

    Raises:
        InputError: it is UTF-16.
        OSError: it cannot be read.
    """
    for first, data in byte_blocks(path, InputError, size=BLOCK_BYTES):
        yield LineBlock(first, data.replace(b"\r\n", b"\n") if b"\r" in data else data)


class IdTable(dict[bytes, int]):
    """The number of each id, in the order in which they are first looked up."""

    def __missing__(self, name: bytes) -> int:
        number = self[name] = len(self)
        return number

    def numbers(self, names: Sequence[bytes]) -> NDArray[np.int32]:
        """The number of each name, int32 (N,)."""
        return np.fromiter(map(self.__getitem__, names), np.int32, len(names))

    def ids(self) -> list[str]:
        """The ids by their numbers."""
        return decoded(self)


def decoded(fields: Iterable[bytes]) -> list[str]:
    """Fields as text; bytes that are not UTF-8 pass unchanged."""
    return [field.decode("utf-8", "surrogateescape") for field in fields]


def encoded(fields: Iterable[str]) -> list[bytes]:
    """The bytes of `decoded` fields."""
    return [field.encode("utf-8", "surrogateescape") for field in fields]
