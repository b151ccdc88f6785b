"""Tables whose files are gone, as after a checkout or its data were moved: found before a job fails on them.

A few entries of a table are looked at, spread over it. Tables of the recipe hold absolute paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ENTRIES = 8  # that are looked at
END_BYTES = 1 << 16  # of a large table: its first and its last lines
PLACE = re.compile(r":\d+$")
RANGE = re.compile(r"\[[^][]*\]$")
PARTING = re.compile(r"[ \t\n\v\f\r'\"=,|]+")  # between the words of a pipe


def gone(paths: Iterable[str], moved_alone: bool = False) -> str | None:
    """A message about the first table whose checked files are all gone; None if there is none.

    Args:
        paths: tables, or directories with tables.
        moved_alone: only files that are somewhere else now count, not those that are nowhere.
    """
    for table in _tables(paths):
        entries = [_missing(entry, table) for entry in _some_entries(table)]
        if entries and all(entries):
            file, place = entries[0] or ("", None)
            if place is not None:
                return _moved(table, file, place)
            if not moved_alone:
                why = "was a disk unmounted, or a folder moved or removed?"
                return f"{table}: none of its files exists (first: {file}); {why}"
    return None


def _moved(table: Path, file: str, place: Path) -> str:
    old, new = Path(file), place
    while old.name == new.name:  # what they have in common at the end
        old, new = old.parent, new.parent
    return (
        f"{table}: names {file}, which is not there, but {place} is: {old} was moved or copied to {new}, and the tables"
        f" hold absolute paths; let the old place lead to the new one (ln -s {new} {old}), or make all of it again"
        " (--stage 0 --force)"
    )


def _tables(paths: Iterable[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(path.glob("*.scp")) if path.is_dir() else [path] if path.suffix == ".scp" else []


def _some_entries(table: Path) -> list[str]:
    """What follows the key in some lines."""
    try:
        with table.open("rb") as stream:
            lines = stream.read(END_BYTES).splitlines()
            size = os.fstat(stream.fileno()).st_size
            if size > END_BYTES:
                stream.seek(max(END_BYTES, size - END_BYTES))
                lines = [*lines[:-1], *stream.read().splitlines()[1:]]
    except OSError:
        return []
    count = min(ENTRIES, len(lines))
    chosen = [lines[index * (len(lines) - 1) // max(1, count - 1)] for index in range(count)]
    return [os.fsdecode(words[1]) for line in chosen if len(words := line.split(None, 1)) == 2]


def _missing(entry: str, table: Path) -> tuple[str, Path | None] | None:
    """The first file of an entry that is missing, and where it is now; None if nothing is missing, or is known."""
    entry = entry.strip()
    if not entry.endswith("|"):
        file = PLACE.sub("", RANGE.sub("", entry))
        return None if _exists(file) else (file, _new_place(file, table))
    for word in PARTING.split(entry):
        place = None if not word.startswith("/") or _exists(word) else _new_place(word, table)
        if place is not None:  # a word that is nowhere may not be a file
            return word, place
    return None


def _exists(path: str | Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises for a name that is too long, or not allowed


def _new_place(file: str, table: Path) -> Path | None:
    """The same file below a folder that holds the table, by the longest end of its path, two names at least."""
    parts = Path(file).parts[1:] if file.startswith("/") else ()
    for length in range(len(parts), 1, -1):
        for folder in table.absolute().parents:
            place = folder.joinpath(*parts[-length:])
            if _exists(place):
                return place
    return None
