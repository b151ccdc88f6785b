"""Kaldi's text tables: lines `key value…`, sorted by key in byte order (LC_ALL=C), one line per key.

Lines stay strings as they are, without the newline; broken UTF-8 passes through unchanged (surrogateescape). Python
compares strings by code point, which for UTF-8 is the order of LC_ALL=C.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO, cast

from minikaldi.scripts.cli import ScriptError

SORT_MEND = "sort it with LC_ALL=C, or run utils/fix_data_dir.sh"


def open_text(path: Path | str, mode: str = "r") -> TextIO:
    """A table's stream: UTF-8, newlines as they stand."""
    if "\0" in str(path):
        raise ScriptError(f"{path}: no file's name has a zero byte in it")
    return cast(TextIO, Path(path).open(mode, encoding="utf-8", errors="surrogateescape", newline="\n"))


@contextlib.contextmanager
def open_input(path: str) -> Iterator[TextIO]:
    """A file, or standard input for `-`."""
    if path == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
        yield sys.stdin
        return
    with open_text(path) as stream:
        yield stream


@contextlib.contextmanager
def open_output(path: str) -> Iterator[TextIO]:
    """A file, or standard output for `-`."""
    if path == "-":
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with open_text(path, "w") as stream:
        yield stream


def check_line(name: str, number: int, line: str) -> str:
    """The line without its newline.

    Raises:
        ScriptError: a blank line, or one that ends as Windows ends lines.
    """
    line = line.rstrip("\n")
    if line.endswith("\r"):
        raise ScriptError(f"{name}:{number}: the line ends in CR LF, expected LF; repair it: sed -i 's/\\r$//' {name}")
    if not line or line.isspace():
        raise ScriptError(f"{name}:{number}: found an empty line, expected `key value`; remove it")
    return line


def numbered_lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of a table, each checked by `check_line`."""
    name = str(path)
    with open_input(name) as stream:
        for number, line in enumerate(stream, start=1):
            if line[-2:-1] == "\r" or line[-1] != "\n" or line.isspace():
                yield number, check_line(name, number, line)
            else:
                yield number, line[:-1]


def key_of(line: str) -> str:
    """The first field."""
    return line.split(None, 1)[0]


def read_keys(path: Path | str) -> set[str]:
    """All first fields."""
    return {key_of(line) for _, line in numbered_lines(path)}


def read_table(path: Path | str) -> dict[str, str]:
    """Key -> the rest of its line, in the file's order.

    Raises:
        ScriptError: a line without a value, or a key that came before.
    """
    table: dict[str, str] = {}
    for number, line in numbered_lines(path):
        fields = line.split(None, 1)
        if len(fields) < 2:
            raise ScriptError(f'{path}:{number}: found "{line}", expected `key value`')
        if fields[0] in table:
            raise ScriptError(f'{path}:{number}: "{fields[0]}" has a line above already; keep one of them')
        table[fields[0]] = fields[1].rstrip()
    return table


def read_pairs(path: Path | str) -> dict[str, str]:
    """Key -> value of a table with exactly two fields (utt2spk, spk2gender, utt2uniq …).

    Raises:
        ScriptError: another number of fields, or a key that came before.
    """
    table: dict[str, str] = {}
    for number, line in numbered_lines(path):
        fields = line.split()
        if len(fields) != 2:
            raise ScriptError(f'{path}:{number}: found {len(fields)} fields in "{line}", expected 2')
        if fields[0] in table:
            raise ScriptError(f'{path}:{number}: "{fields[0]}" has a line above already; keep one of them')
        table[fields[0]] = fields[1]
    return table


def read_numbers(path: Path | str) -> dict[str, float]:
    """Key -> positive number (utt2dur, reco2dur: seconds; utt2num_frames: frames).

    Raises:
        ScriptError: a value that is no number above zero.
    """
    numbers: dict[str, float] = {}
    for number, (key, value) in enumerate(read_pairs(path).items(), start=1):
        try:
            numbers[key] = float(value)
        except ValueError:
            numbers[key] = 0.0
        if not 0.0 < numbers[key] < float("inf"):
            raise ScriptError(f'{path}:{number}: the value of "{key}" is "{value}", expected a number above zero')
    return numbers


def filtered(path: Path | str, keep: Collection[str]) -> Iterator[str]:
    """The lines whose key is in `keep`, in the file's order."""
    for _, line in numbered_lines(path):
        if key_of(line) in keep:
            yield line




def speaker_lines(utt2spk: dict[str, str]) -> list[str]:
    """utt2spk -> the lines of spk2utt: speakers in order of appearance, each with its utterances."""
    speakers: dict[str, list[str]] = {}
    for utt_id, spk_id in utt2spk.items():
        speakers.setdefault(spk_id, []).append(utt_id)
    return [f"{spk_id} {' '.join(utt_ids)}" for spk_id, utt_ids in speakers.items()]
