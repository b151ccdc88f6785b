"""Markdown that the generated pages share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

LINE_LENGTH = 120


def table_text(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with one line per row; a `|` inside a cell is escaped."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def wrapped_text(text: str) -> str:
    """One paragraph in lines of at most 120 characters; words and paths stay whole."""
    return textwrap.fill(" ".join(text.split()), LINE_LENGTH, break_long_words=False, break_on_hyphens=False)
