"""The tables of data directories as lines: read some thousand at a time, checked and ordered.

Lines are strings without the newline, as in the file: broken UTF-8 passes unchanged (surrogateescape). Fields are
separated by Kaldi's rule (`common.text_lines`) and ids sorted by their bytes, as in Kaldi and LC_ALL=C, in any locale.
Real Kaldi reads these tables too, so lines that it cannot read are refused here, with the repair. Lists of lines are
handled as a whole if this is several times faster than line by line.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import le, lt
from pathlib import Path
from typing import Any, BinaryIO

from common import text_files
from common.errors import InputError
from common.text_files import path_of
from common.text_lines import BLANKS, BLOCK_BYTES, BYTE_ORDER_MARK, fields_of, has_ascii_blanks_only, line_blocks

SORT_MEND = "sort it with LC_ALL=C, or run utils/fix_data_dir.sh"
_UTF_16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")  # as surrogateescape reads them
_SIGNS = ("\r", "\0", BYTE_ORDER_MARK, *_UTF_16_MARKS)
_BROKEN = re.compile("[\udc80-\udcff]")


@contextlib.contextmanager
def _open_bytes(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with path_of(path).open("rb") as stream:
        yield stream


def raw_blocks(path: Path | str) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines as they are) of a file, or of standard input for `-`.

    A newline may be missing at the end of the file.
    """
    number = 1
    with _open_bytes(str(path)) as stream:
        for data in line_blocks(stream, BLOCK_BYTES):
            lines = data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
            yield number, lines
            number += len(lines)


def is_clean(lines: Sequence[str]) -> bool:
    """Whether `check_line` accepts all of these lines; False if in doubt."""
    text = "\n".join(lines)
    return not any(sign in text for sign in _SIGNS) and all(map(str.strip, lines))


def check_line(name: str, number: int, line: str) -> None:
    """Refuse a line that no table may hold.

    Args:
        name: name of the table in errors.
        number: number of the line, from 1.
        line: the line without its newline.

    Raises:
        InputError: a blank line, a line with a Windows line end or a NUL byte, or a byte order mark.
    """
    if number == 1 and line.startswith(_UTF_16_MARKS):
        raise InputError(f"{name}:1: the file is UTF-16, by its byte order mark; save it as UTF-8")
    if number == 1 and line.startswith(BYTE_ORDER_MARK):
        raise InputError(
            f"{name}:1: the file begins with a byte order mark; remove it: sed -i '1s/^\\xef\\xbb\\xbf//' {name}"
        )
    if line.endswith("\r"):
        raise InputError(f"{name}:{number}: the line ends in CR LF, expected LF; repair it: sed -i 's/\\r$//' {name}")
    if not line.strip(BLANKS):
        raise InputError(f"{name}:{number}: found an empty line, expected `key value`; remove it")
    if "\0" in line:
        raise InputError(f"{name}:{number}: found a NUL byte, expected UTF-8 text; is it a table, and not UTF-16?")


def blocks(path: Path | str) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines) of a table, each line checked by `check_line`.

    Raises:
        InputError: as `check_line`.
    """
    for first, lines in raw_blocks(path):
        if not is_clean(lines):
            for number, line in enumerate(lines, first):
                check_line(str(path), number, line)
        yield first, lines


def numbered_lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of a table, each checked by `check_line`."""
    for first, lines in blocks(path):
        yield from enumerate(lines, first)


def all_lines(path: Path | str) -> list[str]:
    """All lines of a table, each checked by `check_line`."""
    return [line for _, lines in blocks(path) for line in lines]


def key_of(line: str) -> str:
    """The first field."""
    return fields_of(line, 1)[0]


def keys_of(lines: Sequence[str]) -> list[str]:
    """The first field of each line."""
    if _split_plainly(lines):
        return [line.split(None, 1)[0] for line in lines]
    return [key_of(line) for line in lines]


def split_keys(lines: Sequence[str]) -> list[list[str]]:
    """[key, rest] of each line; [key] if nothing follows the key."""
    if _split_plainly(lines):
        return [line.split(None, 1) for line in lines]
    return [fields_of(line, 1) for line in lines]


def _split_plainly(lines: Sequence[str]) -> bool:
    """Whether str.split() splits these lines as `fields_of` does."""
    starts = range(0, len(lines), text_files.BLOCK_LINES)
    return all(has_ascii_blanks_only("\n".join(lines[start : start + text_files.BLOCK_LINES])) for start in starts)


def pairs_of(lines: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """First and second fields of clean lines; None if a line does not have exactly two fields."""
    text = " \0 ".join(lines)
    # One split for all lines; each third word must then be the mark in place of the newline.
    words = fields_of(text)
    if len(words) != 3 * len(lines) - 1 or words[2::3].count("\0") != len(lines) - 1:
        return None
    return words[0::3], words[1::3]


def line_heads(ids: Iterable[str]) -> list[str]:
    """The beginnings of the lines of these ids."""
    return [f"{identifier} " for identifier in ids]


def have_heads(lines: Sequence[str], heads: Sequence[str]) -> bool:
    """Whether each line begins with its head (`line_heads`); far faster than comparing all keys."""
    return len(lines) == len(heads) and all(map(str.startswith, lines, heads))


def byte_order(text: str) -> bytes:
    """The sort key for the order of LC_ALL=C."""
    return text.encode("utf-8", "surrogateescape")


def _comparable(texts: Sequence[str]) -> Sequence[Any]:
    # For valid UTF-8 the order of code points is that of the bytes; only broken UTF-8 needs the bytes themselves.
    if all(map(str.isascii, texts)) or not any(map(_BROKEN.search, texts)):
        return texts
    return [byte_order(text) for text in texts]


def in_order(lines: Sequence[str]) -> bool:
    """Whether these are sorted as LC_ALL=C sorts."""
    compared = _comparable(lines)
    return all(map(le, compared, islice(compared, 1, None)))


def ascending(keys: Sequence[str]) -> bool:
    """Whether these are sorted as LC_ALL=C sorts, without repetition."""
    compared = _comparable(keys)
    return all(map(lt, compared, islice(compared, 1, None)))


def c_sorted(texts: Sequence[str]) -> list[str]:
    """Ids or lines, sorted as LC_ALL=C sorts."""
    return sorted(texts) if _comparable(texts) is texts else sorted(texts, key=byte_order)


def side_by_side(lines: Sequence[str]) -> list[str]:
    """The same lines as new strings, which are in memory in this order.

    Several passes over a million lines that were sorted from a random order are slow, for lack of cache hits.
    """
    return "\n".join(lines).split("\n") if lines else []
