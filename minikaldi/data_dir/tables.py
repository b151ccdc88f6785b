"""Kaldi's text tables as dictionaries: lines `key value…`, sorted by key in byte order (LC_ALL=C), one line per key."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import compress, islice
from math import isfinite
from pathlib import Path
from typing import NoReturn

from common.errors import InputError
from common.text_files import open_text
from common.text_lines import BLANKS, fields_of, has_ascii_blanks_only, number_of
from minikaldi.data_dir.lines import (
    blocks,
    have_heads,
    key_of,
    keys_of,
    line_heads,
    numbered_lines,
    pairs_of,
    split_keys,
)

# Some names of `minikaldi.data_dir.lines` too, for modules that read a table line by line.
__all__ = [
    "Chosen",
    "key_of",
    "lines_with_keys",
    "numbered_lines",
    "open_text",
    "read_keys",
    "read_numbers",
    "read_pairs",
    "read_values",
    "speaker_lines",
]


def read_keys(path: Path | str) -> set[str]:
    """All first fields."""
    keys: set[str] = set()
    for _, lines in blocks(path):
        keys.update(keys_of(lines))
    return keys


def _refuse_repeat(path: Path | str, first: int, keys: Sequence[str], table: Iterable[str], before: int) -> NoReturn:
    # The table already holds the keys of this block, after the `before` keys of the earlier blocks.
    seen = set(islice(table, before))
    for number, key in enumerate(keys, first):
        if key in seen:
            raise InputError(f'{path}:{number}: "{key}" has a line above already; keep one of them')
        seen.add(key)
    raise AssertionError("no key came twice")


def read_values(path: Path | str) -> dict[str, str]:
    """Key -> the rest of its line, in the file's order.

    Raises:
        InputError: a line without a value, or a key that came before.
    """
    table: dict[str, str] = {}
    for first, lines in blocks(path):
        parts, before = split_keys(lines), len(table)
        if min(map(len, parts)) < 2:
            index = [len(part) for part in parts].index(1)
            raise InputError(f'{path}:{first + index}: found "{lines[index]}", expected `key value`')
        table.update((key, value.rstrip(BLANKS)) for key, value in parts)
        if len(table) < before + len(lines):
            _refuse_repeat(path, first, [key for key, _ in parts], table, before)
    return table


def read_pairs(path: Path | str, share_values: bool = False) -> dict[str, str]:
    """Key -> value of a table with exactly two fields (utt2spk, spk2gender, utt2uniq …).

    Args:
        path: the table.
        share_values: keep equal values once in memory; for tables with few different values.

    Raises:
        InputError: another number of fields, or a key that came before.
    """
    table: dict[str, str] = {}
    known: dict[str, str] = {}
    for first, lines in blocks(path):
        columns, before = pairs_of(lines), len(table)
        if columns is None:
            refuse_fields(path, first, lines)
        keys, values = columns
        table.update(zip(keys, map(known.setdefault, values, values) if share_values else values, strict=True))
        if len(table) < before + len(lines):
            _refuse_repeat(path, first, keys, table, before)
    return table


def refuse_fields(path: Path | str, first: int, lines: Sequence[str]) -> NoReturn:
    """Refuse the first of these lines that does not have two fields; `first` is the number of the first line.

    Raises:
        InputError: always.
    """
    for number, line in enumerate(lines, first):
        if len(fields_of(line)) != 2:
            raise InputError(f'{path}:{number}: found {len(fields_of(line))} fields in "{line}", expected 2')
    raise AssertionError("all lines have two fields")


def numbers_of(texts: Sequence[str]) -> list[float]:
    """`number_of` of each text."""
    joined = "".join(texts)
    if joined.isascii() and has_ascii_blanks_only(joined) and "_" not in joined:
        with contextlib.suppress(ValueError):
            return list(map(float, texts))
    return list(map(number_of, texts))


def number_blocks(path: Path | str) -> Iterator[tuple[int, list[str], list[float]]]:
    """(number of the first line, keys, positive numbers) of utt2dur or reco2dur (seconds) or utt2num_frames (frames).

    Raises:
        InputError: another number of fields, or a value that is not a number > 0.
    """
    for first, lines in blocks(path):
        columns = pairs_of(lines)
        if columns is None:
            refuse_fields(path, first, lines)
        keys, values = columns
        numbers = numbers_of(values)
        if not are_positive(numbers):
            index = [are_positive([number]) for number in numbers].index(False)
            found = f'the value of "{keys[index]}" is "{values[index]}"'
            raise InputError(f"{path}:{first + index}: {found}, expected a number > 0")
        yield first, keys, numbers


def read_numbers(path: Path | str) -> dict[str, float]:
    """Key -> positive number of a table that `number_blocks` reads.

    Raises:
        InputError: as `number_blocks`, or a key that came before.
    """
    table: dict[str, float] = {}
    for first, keys, numbers in number_blocks(path):
        before = len(table)
        table.update(zip(keys, numbers, strict=True))
        if len(table) < before + len(keys):
            _refuse_repeat(path, first, keys, table, before)
    return table


def are_positive(numbers: Sequence[float]) -> bool:
    """Whether all are finite numbers > 0."""
    return not numbers or (min(numbers) > 0 and isfinite(sum(numbers)))  # NaN, which min may miss, is in the sum


def lines_with_keys(path: Path | str, keep: Collection[str]) -> Iterator[str]:
    """The lines whose key is in `keep`, in the file's order."""
    for _, lines in blocks(path):
        yield from compress(lines, map(keep.__contains__, keys_of(lines)))


class Chosen:
    """`lines_with_keys` for many tables that mostly have the same keys in the same order.

    Then no key is looked up: for a million keys that takes longer than everything else.

    Args:
        keep: the keys to keep.
        ids: the keys that most tables have, in their order.
    """

    def __init__(self, keep: Collection[str], ids: Sequence[str]) -> None:
        self._keep = keep
        self._heads = line_heads(ids)
        self._stays = list(map(keep.__contains__, ids))

    def lines(self, path: Path | str) -> Iterator[str]:
        """The lines of a table whose key is among those to keep, in the file's order."""
        place = 0
        for _, lines in blocks(path):
            here = slice(place, place + len(lines))
            if have_heads(lines, self._heads[here]):
                yield from compress(lines, self._stays[here])
            else:
                yield from compress(lines, map(self._keep.__contains__, keys_of(lines)))
            place = here.stop


def speakers_of(utt2spk: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """spk_id -> its utt_ids, of pairs (utt_id, spk_id); both in order of appearance."""
    speakers: dict[str, list[str]] = {}
    for utt_id, spk_id in utt2spk:
        if spk_id in speakers:
            speakers[spk_id].append(utt_id)
        else:
            speakers[spk_id] = [utt_id]
    return speakers


def speaker_lines(utt2spk: Iterable[tuple[str, str]]) -> list[str]:
    """Pairs (utt_id, spk_id) -> the lines of spk2utt: speakers in order of appearance, each with its utterances."""
    return [f"{spk_id} {' '.join(utt_ids)}" for spk_id, utt_ids in speakers_of(utt2spk).items()]
