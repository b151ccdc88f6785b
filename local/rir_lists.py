"""Lists of room impulse responses as Kaldi's reverberation takes them, and the sets with their weights."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.whole_files import write_files
from local.program import first_of

# An augmented wav.scp line has the path inside two levels of quotes, and separates signals by commas.
_PLAIN_PATH = re.compile(r"[\w.+@%:=/-]+")


@dataclass(frozen=True)
class ListedRir:
    """One line of a list of impulse responses.

    Attributes:
        rir_id: the response.
        room_id: its room.
        audio: a path, or a pipe that writes WAV.
        others: further options with their values, as `(rt60, 0.4)`.
    """

    rir_id: str
    room_id: str
    audio: str
    others: tuple[tuple[str, str], ...] = ()


def odd_paths(paths: Sequence[str]) -> list[str]:
    """The paths with characters that the quoting of augmented wav.scp lines cannot carry."""
    return [path for path in paths if not _PLAIN_PATH.fullmatch(path)]


def require_plain_paths(paths: Sequence[str]) -> None:
    """Refuse paths with characters that the quoting of augmented wav.scp lines cannot carry.

    Raises:
        InputError: a path with a blank, quote, comma or other character that a shell may interpret.
    """
    odd = odd_paths(paths)
    if odd:
        raise InputError(
            f"{len(odd)} paths have blanks, commas, quotes or other characters that commands cannot carry: "
            f"{first_of(odd)}; give the corpus through a link with a plain name"
        )


def rir_line(entry: ListedRir) -> str:
    """`--rir-id X --room-id Y [--rt60 0.4 …] path`; a pipe is quoted, so that it is one word."""
    others = "".join(f"--{name} {value} " for name, value in entry.others)
    return f"--rir-id {entry.rir_id} --room-id {entry.room_id} {others}{shlex.quote(entry.audio)}"


def write_rir_lists(target: Path, sets: Mapping[str, Sequence[ListedRir]]) -> None:
    """Write all responses to `target`, and next to it `rir_sets` with one line `weight, list` per set.

    The sets have equal weights. If there are several, each also gets its own list, `<target>_<name>`. The lines of
    `rir_sets` are the values of `--rir-set-parameters`.

    Args:
        target: the list of all responses.
        sets: set name -> its responses.

    Raises:
        InputError: no response, or an id that appears twice.
    """
    entries = [entry for members in sets.values() for entry in members]
    ids = [entry.rir_id for entry in entries]
    if not ids:
        raise InputError(f"{target}: no impulse response is left to write")
    twice = sorted(rir_id for rir_id, count in Counter(ids).items() if count > 1)
    if twice:
        raise InputError(f"{target}: {len(twice)} rir-ids appear more than once ({first_of(twice)}); keep one of each")
    target.parent.mkdir(parents=True, exist_ok=True)
    names = {name: target if len(sets) == 1 else target.with_name(f"{target.name}_{name}") for name in sets}
    lists = {target: entries, **{path: sets[name] for name, path in names.items()}}
    outputs = [(str(path), [rir_line(entry) for entry in members]) for path, members in lists.items()]
    weights = [f"{1 / len(sets):g}, {path}" for path in names.values()]
    write_files([*outputs, (str(target.with_name("rir_sets")), weights)])
