"""Repair of one table of a data directory: line ends, blank lines, byte order mark, order, and repeated ids."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

from common.text_lines import BLANKS, BYTE_ORDER_MARK
from minikaldi.data_dir.lines import (
    ascending,
    c_sorted,
    check_line,
    have_heads,
    in_order,
    is_clean,
    key_of,
    keys_of,
    raw_blocks,
    side_by_side,
)


def mended_blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines) without blank lines, CRs at line ends and byte order mark."""
    for first, lines in raw_blocks(path):
        if is_clean(lines):
            yield first, lines
            continue
        run: list[str] = []
        for number, raw in enumerate(lines, first):
            line = (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).rstrip("\r")
            if line.strip(BLANKS):
                check_line(str(path), number, line)
                run.append(line)
            elif run:
                yield number - len(run), run
                run = []
        if run:
            yield first + len(lines) - len(run), run


def read_mended(path: Path) -> tuple[list[str], bool]:
    """The lines of `mended_blocks`, and whether the file needs no repair."""
    clean, lines = _ends_in_newline(path), list[str]()
    for _, block in raw_blocks(path):
        clean = clean and is_clean(block)
        lines += block
    return (lines, True) if clean else ([line for _, block in mended_blocks(path) for line in block], False)


def _ends_in_newline(path: Path) -> bool:
    if not path.stat().st_size:
        return True
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"


def sorted_lines(lines: list[str]) -> list[str]:
    """The lines sorted as LC_ALL=C sorts; the same list if they are sorted."""
    return lines if in_order(lines) else side_by_side(c_sorted(lines))


@dataclass
class Mended:
    """A repaired table.

    Attributes:
        lines: its lines; None if the file needs no repair.
        notes: messages about lines that contradict another line.
    """

    lines: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)


def mend(path: Path, wanted: Collection[str], heads: Sequence[str]) -> Mended:
    """Sort a table and keep the first line of each wanted id; `heads` are the beginnings of these lines."""
    lines, clean = read_mended(path)
    if clean and have_heads(lines, heads):
        return Mended()
    ordered = sorted_lines(lines)
    keys = keys_of(ordered)
    if ascending(keys):
        stays = list(map(wanted.__contains__, keys))
        return Mended() if clean and all(stays) and ordered is lines else Mended(list(compress(ordered, stays)))
    by_key: dict[str, str] = {}
    for line in lines:
        by_key.setdefault(key_of(line), line)
    return Mended([by_key[key] for key in wanted if key in by_key], contradictions(path, by_key))


def contradictions(path: Path, kept: Mapping[str, str]) -> list[str]:
    """A message for each line that differs from the line that is kept for its key."""
    return [
        f'{path}:{number}: "{key}" has another line above, which is kept'
        for first, lines in mended_blocks(path)
        for number, (key, line) in enumerate(zip(keys_of(lines), lines, strict=True), first)
        if kept.get(key, line) != line
    ]
