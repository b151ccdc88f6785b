"""Checks of one table of a data directory: line ends, number of fields, values, order, repeated ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from pathlib import Path

from common.errors import InputError
from common.text_lines import fields_of, number_of
from minikaldi.data_dir.directory import KINDS, Kind
from minikaldi.data_dir.lines import (
    SORT_MEND,
    ascending,
    check_line,
    in_order,
    is_clean,
    pairs_of,
    raw_blocks,
    split_keys,
)
from minikaldi.data_dir.tables import are_positive, numbers_of

MAX_PER_FILE = 3


def value_fault(value: str, kind: str) -> str | None:
    """The fault of the second field of a table; None if there is none."""
    if kind == "frames" and not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) > 0):
        return f'found "{value}" frames, expected an integer >= 1'
    if kind == "seconds" and not 0.0 < number_of(value) < float("inf"):
        return f'found "{value}" seconds, expected a number > 0'
    if kind == "gender" and value not in ("m", "f"):
        return f'found the gender "{value}", expected m or f'
    return None


def segment_fault(fields: Sequence[str]) -> str | None:
    """The fault of a line `utt_id rec_id start end` of segments, in seconds; None if there is none."""
    start, end = number_of(fields[2]), number_of(fields[3])
    if not (isfinite(start) and isfinite(end)):
        return f'found "{" ".join(fields)}", expected `utt_id rec_id start end`'
    if start < 0 or (end <= start and end != -1):
        return f"the segment lasts from {start:g} to {end:g} s, expected 0 <= start < end"
    return None


def line_fault(name: str, kind: Kind, fields: Sequence[str]) -> str | None:
    """The fault of one line; None if there is none."""
    if len(fields) < kind.min_fields or (kind.max_fields is not None and len(fields) > kind.max_fields):
        expected = str(kind.min_fields) if kind.min_fields == kind.max_fields else f"at least {kind.min_fields}"
        return f'found {len(fields)} fields in "{" ".join(fields)}", expected {expected}'
    if name == "segments":
        return segment_fault(fields)
    return value_fault(fields[1], kind.value) if len(fields) > 1 else None


@dataclass
class Faults:
    """The faults found, a few for each file.

    Attributes:
        messages: one for each fault.
    """

    messages: list[str] = field(default_factory=list)
    _per_file: dict[str, int] = field(default_factory=dict)

    def are_enough(self, path: Path) -> bool:
        """Whether further faults of this file are not reported one by one."""
        return self._per_file.get(str(path), 0) > MAX_PER_FILE

    def add(self, path: Path, line: int | None, text: str) -> None:
        """Add a fault of a file, at a line unless it is None."""
        count = self._per_file[str(path)] = self._per_file.get(str(path), 0) + 1
        if count <= MAX_PER_FILE:
            self.messages.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")
        elif count == MAX_PER_FILE + 1:
            self.messages.append(f"{path}: … and more")


@dataclass
class Table:
    """The lines of a table that have no fault, in the file's order.

    Attributes:
        keys: first fields.
        numbers: line numbers, from 1.
        values: second fields, if they matter; all fields after the key for lists of ids.
    """

    keys: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def sound_values(values: Sequence[str], kind: str) -> bool:
    """Whether `value_fault` finds no fault in any of these values; False if in doubt."""
    if kind == "text":
        return True
    if kind == "gender":
        return set(values) <= {"m", "f"}
    if kind == "frames" and not ("".join(values).isdigit() and max(map(len, values)) < 19):
        return False
    return are_positive(numbers_of(values))


def sound_block(kind: Kind, lines: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """First and second fields of lines without a fault; only the first fields if lines may be longer.

    Returns:
        None if a line has a fault, and for kinds of tables that do not have one line per utterance.
    """
    if not is_clean(lines):
        return None
    if kind.max_fields == 2:
        columns = pairs_of(lines)
        return columns if columns is not None and sound_values(columns[1], kind.value) else None
    if kind.max_fields is None and kind.value == "text":
        parts = split_keys(lines)
        return ([part[0] for part in parts], []) if min(map(len, parts)) >= kind.min_fields else None
    return None


def check_lines(path: Path, kind: Kind, first: int, lines: Sequence[str], faults: Faults, table: Table) -> None:
    """Check lines one by one; `first` is the number of the first one. Lines without a fault are added to `table`."""
    for number, line in enumerate(lines, first):
        try:
            check_line(str(path), number, line)
        except InputError as error:
            faults.add(path, number, str(error).split(": ", 1)[1])
            continue
        fields = fields_of(line)
        if fault := line_fault(path.name, kind, fields):
            faults.add(path, number, fault)
            continue
        table.keys.append(fields[0])
        table.numbers.append(number)
        table.values.append(" ".join(fields[1:]) if kind.value == "ids" else "".join(fields[1:2]))


def check_order(path: Path, table: Table, faults: Faults) -> None:
    """Add a fault for each key that is not sorted, or is repeated."""
    if ascending(table.keys):
        return
    for (last, key), number in zip(pairwise(table.keys), table.numbers[1:], strict=True):
        if faults.are_enough(path):
            return
        if key == last:
            faults.add(path, number, f'"{key}" has a line above already; run utils/fix_data_dir.sh')
        elif not in_order([last, key]):
            faults.add(path, number, f'"{key}" comes after "{last}"; {SORT_MEND}')


def check_table(path: Path, faults: Faults) -> Table:
    """Check a table by itself: line ends, number of fields, values, order, duplicates."""
    table, kind = Table(), KINDS[path.name]
    known: dict[str, str] = {}
    for first, lines in raw_blocks(path):
        columns = sound_block(kind, lines)
        if columns is None:
            check_lines(path, kind, first, lines, faults, table)
            continue
        table.keys += columns[0]
        table.values += map(known.setdefault, columns[1], columns[1])
        table.numbers += range(first, first + len(lines))
    check_order(path, table, faults)
    if not table.keys:
        faults.add(path, None, "has no usable line")
    return table
