"""Speaker names as speaker ids: without blanks, distinct, and so that utterances sort like their speakers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from common.errors import InputError

# Characters that sort before "-", and "-" itself: after a common prefix they break the order of `<speaker>-<rest>`.
_SORTS_EARLY = re.compile(r"[!-\-]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_NO_UTF8 = re.compile("[\ud800-\udfff]")


def check_name(name: str, path: str) -> None:
    """Refuse a file or folder name that a text table cannot contain.

    Args:
        name: the name.
        path: its path, for messages.

    Raises:
        InputError: a control character (newline, tab, escape …), or bytes that are not UTF-8.
    """
    if _CONTROL.search(name):
        raise InputError(f"{path!r}: the name has a control character; rename it")
    if _NO_UTF8.search(name):
        raise InputError(f"{path!r}: the name is not UTF-8; rename it")


def without_blanks(text: str) -> str:
    """The text with `_` for each blank, since blanks separate the fields of a table."""
    return re.sub(r"\s", "_", text)


def speaker_ids(names: Iterable[str]) -> dict[str, str]:
    """Name -> id, unchanged if possible.

    `<id>-` must sort as `<id>` does: with the speakers `ann` and `ann-marie` (or `ann+b`), the utterances of the second
    would sort between or before those of the first, so the second becomes `ann_marie`. Two names that become the same
    id get `_2`, `_3` … in the order of the names.
    """
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names):
        ids[name] = _distinct(without_blanks(name), taken)
    while troubled := _troubled(ids):       # each pass leaves fewer ids with such characters, so it ends
        for name in troubled:
            taken.discard(ids[name])
            ids[name] = _distinct(_SORTS_EARLY.sub("_", ids[name]), taken)
    return ids


def _distinct(wanted: str, taken: set[str]) -> str:
    candidate, number = wanted, 2
    while candidate in taken:
        candidate, number = f"{wanted}_{number}", number + 1
    taken.add(candidate)
    return candidate


def _troubled(ids: dict[str, str]) -> list[str]:
    """The names whose id is another id followed by a character that sorts at or before `-`.

    In sorted order the ids that begin with an id follow it directly, so a stack of prefixes finds them in one pass.
    """
    troubled: list[str] = []
    prefixes: list[str] = []
    for name, spk_id in sorted(ids.items(), key=lambda item: item[1]):
        while prefixes and not spk_id.startswith(prefixes[-1]):
            prefixes.pop()
        if any(_SORTS_EARLY.match(spk_id[len(prefix)]) for prefix in prefixes):
            troubled.append(name)
        prefixes.append(spk_id)
    return troubled

