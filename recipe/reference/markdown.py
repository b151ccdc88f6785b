"""Markdown that the generated pages share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

LINE_LENGTH = 120


def table_text(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with one line per row; what Markdown or HTML would take for markup is escaped."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)


def _escaped(cell: str) -> str:
    """`|` escaped everywhere, `<` outside of code."""
    parts = re.split(r"(`[^`]*`)", cell.replace("|", r"\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def wrapped_text(text: str, indent: str = "") -> str:
    """One paragraph in lines of at most 120 characters; words and paths stay whole.

    Args:
        text: with any blanks and line ends.
        indent: before each line but the first.
    """
    words = " ".join(text.split())
    return textwrap.fill(words, LINE_LENGTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
