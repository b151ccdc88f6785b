"""Parts of a Markdown file that a program writes, between two comments that are not rendered."""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError
from common.whole_files import writing


def section(path: Path, name: str) -> str:
    """The text between `<!-- begin: name -->` and `<!-- end: name -->`, without blank lines around it.

    Raises:
        InputError: the file has not exactly one such pair.
    """
    return _parts(path, name)[1].strip()


def replace_section(path: Path, name: str, text: str) -> None:
    """Write `text` between the two comments; the rest of the file stays as it is.

    Raises:
        InputError: the file has not exactly one such pair.
    """
    before, _, after = _parts(path, name)
    with writing(path) as hidden:
        hidden.write_text(f"{before}\n\n{text.strip()}\n\n{after}", encoding="utf-8")


def _parts(path: Path, name: str) -> tuple[str, str, str]:
    """The text up to the end of the first comment, between the two, and from the second on."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    text = path.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(f"{path}: expected one line {begin} and below it one line {end}")
    before, rest = text.split(begin)
    between, after = rest.split(end)
    return before + begin, between, end + after
