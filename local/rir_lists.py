"""Lists of room impulse responses as Kaldi's reverberation takes them, and the sets with their weights."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from local.program import first_of

# Paths stand inside two levels of quotes in an augmented wav.scp line, and commas part the signals there.
_PLAIN_PATH = re.compile(r"[\w.+@%:=/-]+")


@dataclass(frozen=True)
class RirEntry:
    """One impulse response; audio: a path, or a pipe that writes WAV; others: further options, as `(rt60, 0.4)`."""

    rir_id: str
    room_id: str
    audio: str
    others: tuple[tuple[str, str], ...] = ()


def odd_paths(paths: Sequence[str]) -> list[str]:
    """The paths that would not survive the quoting of augmented wav.scp lines."""
    return [path for path in paths if not _PLAIN_PATH.fullmatch(path)]


def require_plain_paths(paths: Sequence[str]) -> None:
    """Refuse paths that would not survive the quoting of augmented wav.scp lines.

    Raises:
        InputError: a blank, quote, comma or other character that a shell may take for its own.
    """
    odd = odd_paths(paths)
    if odd:
        raise InputError(
            f"{len(odd)} paths have blanks, commas, quotes or other characters that commands cannot carry: "
            f"{first_of(odd)}; give the corpus through a link with a plain name"
        )


def rir_line(entry: RirEntry) -> str:
    """`--rir-id X --room-id Y [--rt60 0.4 …] path`; a pipe is quoted, so that it is one word."""
    others = "".join(f"--{name} {value} " for name, value in entry.others)
    return f"--rir-id {entry.rir_id} --room-id {entry.room_id} {others}{shlex.quote(entry.audio)}"


def write_rir_lists(target: Path, sets: Mapping[str, Sequence[RirEntry]]) -> None:
    """Write all responses to `target`, and beside it `rir_sets` with one line `weight, list` a set, of equal weights.

    With several sets each has a list of its own, `<target>_<name>`; these lines are the values of
    `--rir-set-parameters`.

    Raises:
        InputError: no response, or an id twice.
    """
    entries = [entry for members in sets.values() for entry in members]
    ids = [entry.rir_id for entry in entries]
    if not ids:
        raise InputError(f"{target}: not one impulse response is left to write")
    twice = sorted(rir_id for rir_id, count in Counter(ids).items() if count > 1)
    if twice:
        raise InputError(f"{target}: {len(twice)} rir-ids stand more than once ({first_of(twice)}); keep one of each")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_list(target, [rir_line(entry) for entry in entries])
    lists = {name: target if len(sets) == 1 else target.with_name(f"{target.name}_{name}") for name in sets}
    for name, path in lists.items():
        write_list(path, [rir_line(entry) for entry in sets[name]])
    write_list(target.with_name("rir_sets"), [f"{1 / len(sets):g}, {path}" for path in lists.values()])


def write_list(path: Path, lines: Sequence[str]) -> None:
    """Write a list whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    partial.replace(path)
