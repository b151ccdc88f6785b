"""The columns of large lists of ids: a block of lines is split at once, as bytes in arrays.

The rules are those of `common.text_lines`. A block whose lines do not all have the same number of fields, or with
another fault, is read line by line, by whoever knows what to say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.progress import Progress
from common.text_lines import BLANKS, byte_blocks, fields_of, lines_of

BLOCK_BYTES = 1 << 20
MEGABYTE = 1 << 20
WORD = 8  # bytes
MOST_WORDS = 1 << 19  # of a column at once
_BLANK, _TEXT, _NEWLINE = 0, 1, 2
_KINDS = bytes(_NEWLINE if code == 10 else _BLANK if chr(code) in BLANKS else _TEXT for code in range(256))
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(WORD + 1)], dtype=np.uint64)


@dataclass(frozen=True)
class Fields:
    """One field of each of N lines.

    Attributes:
        words: uint64 (N, W), the bytes of each, eight in a word, with zeros after the last.
        lengths: int64 (N,), bytes of each.
    """

    words: NDArray[np.uint64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[bytes]) -> Fields:
        """These texts as fields."""
        texts = list(texts)
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        width = -(-int(lengths.max(initial=1)) // WORD) * WORD
        data = b"".join(text.ljust(width, b"\0") for text in texts)
        return cls(np.frombuffer(data, dtype="<u8").reshape(len(texts), width // WORD), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, places: slice | NDArray[np.intp]) -> Fields:
        return Fields(self.words[places], self.lengths[places])

    def texts(self) -> list[bytes]:
        """The fields as bytes."""
        rows, width = np.ascontiguousarray(self.words, dtype="<u8"), self.words.shape[1] * WORD
        texts: list[bytes] = rows.view(f"S{width}").ravel().tolist()
        if sum(map(len, texts)) == int(self.lengths.sum()):
            return texts
        data = rows.tobytes()  # a field ends with a zero byte, which is lost above
        return [data[width * row : width * row + length] for row, length in enumerate(self.lengths.tolist())]

    def equal(self, text: bytes) -> NDArray[np.bool_]:
        """Which fields are this text: bool (N,)."""
        one = Fields.of([text])
        width = one.words.shape[1]
        if width > self.words.shape[1]:
            return np.zeros(len(self), dtype=bool)
        same: NDArray[np.bool_] = self.lengths == len(text)
        for column in range(width):
            same &= self.words[:, column] == one.words[0, column]
        return same


@dataclass(frozen=True)
class Columns:
    """The fields of some lines, as many in each.

    Attributes:
        numbers: int64 (N,), number of each line.
        aligned: uint64, the bytes of the lines, eight in a word, and some zeros.
        starts: int64 (N, count), place of each field's first byte.
        lengths: int64 (N, count), its bytes.
    """

    numbers: NDArray[np.int64]
    aligned: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def parts(self) -> list[Columns]:
        """The lines in parts whose `fields` are not large, even if one field is very long."""
        rows = max(1, MOST_WORDS * WORD // int(self.lengths.max(initial=WORD)))
        slices = [slice(first, first + rows) for first in range(0, max(1, len(self)), rows)]
        return [Columns(self.numbers[one], self.aligned, self.starts[one], self.lengths[one]) for one in slices]

    def row(self, place: int) -> list[str]:
        """The fields of one line as text."""
        data = self.aligned.tobytes()
        spans = zip(self.starts[place].tolist(), self.lengths[place].tolist(), strict=True)
        return decoded(data[start : start + length] for start, length in spans)

    def fields(self, column: int) -> Fields:
        """The fields of a column."""
        starts, lengths = self.starts[:, column], self.lengths[:, column]
        width = -(-int(lengths.max(initial=1)) // WORD)
        places = (starts // WORD)[:, None] + np.arange(width + 1)  # a field touches one word more than it has
        words = self.aligned.take(places, mode="clip")
        shift = (starts % WORD * 8).astype(np.uint64)[:, None]
        found = words[:, :-1] >> shift
        found |= words[:, 1:] << (64 - shift)  # of 64: nothing is left of the word
        found &= _MASKS[np.clip(lengths[:, None] - WORD * np.arange(width), 0, WORD)]
        return Fields(found, lengths)


@dataclass(frozen=True)
class LineBlock:
    """Some lines of a file.

    Attributes:
        first: number of the first line, from 1.
        data: the lines, without byte order mark.
    """

    first: int
    data: bytes

    def columns(self, count: int) -> list[Columns] | None:
        """The lines that are not blank in a few parts, if each line has `count` fields; else None."""
        kinds = np.frombuffer(self.data.translate(_KINDS) + b"\2", dtype=np.uint8)
        newlines = np.flatnonzero(kinds == _NEWLINE)
        if self.data.endswith(b"\n"):
            newlines = newlines[:-1]
        changes = np.flatnonzero(np.diff(kinds == _TEXT, prepend=False))
        starts, ends = changes[::2], changes[1::2]
        lines = np.arange(self.first, self.first + len(newlines))
        if not _each_has(starts, newlines, count):
            per_line = np.diff(np.searchsorted(starts, newlines), prepend=0)
            filled = per_line > 0
            if (per_line[filled] != count).any():
                return None
            lines = lines[filled]
        padded = self.data + bytes(2 * WORD - len(self.data) % WORD)
        shape = len(lines), count
        aligned = np.frombuffer(padded, dtype="<u8")
        return Columns(lines, aligned, starts.reshape(shape), (ends - starts).reshape(shape)).parts()

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
    """The lines of a file in blocks. What its line ends are is logged.

    Raises:
        InputError: it is UTF-16.
        OSError: it cannot be read.
    """
    progress, num_bytes = Progress(f"reading {path}", _megabytes(path), "MB"), 0
    for first, data in byte_blocks(path, InputError, size=BLOCK_BYTES):
        yield LineBlock(first, data)
        num_bytes += len(data)
        progress.update(num_bytes // MEGABYTE - progress.done)
    progress.close()


def _megabytes(path: str | Path) -> int:
    """The size of a file; 0 for a pipe, whose size is not known, and for a file that cannot be read."""
    try:
        return Path(path).stat().st_size // MEGABYTE
    except (OSError, ValueError):
        return 0


def decoded(fields: Iterable[bytes]) -> list[str]:
    """Fields as text; bytes that are not UTF-8 pass unchanged."""
    return [field.decode("utf-8", "surrogateescape") for field in fields]


def encoded(fields: Iterable[str]) -> list[bytes]:
    """The bytes of `decoded` fields."""
    return [field.encode("utf-8", "surrogateescape") for field in fields]
