"""Rows of figures with intervals as an aligned text table and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scoring.bootstrap import Summary
from scoring.metrics import P_TARGETS

Row = Sequence[str]

HEADER = ("system", "back end", "EER % [95 %]", *(f"minDCF({p:g}) [95 %]" for p in P_TARGETS))


class Estimate(Protocol):
    """A figure with its interval."""

    @property
    def value(self) -> float:
        """On all trials."""

    @property
    def low(self) -> float:
        """Lower end of the interval."""

    @property
    def high(self) -> float:
        """Upper end of the interval."""


def show_interval(figure: Estimate, scale: float = 1.0, decimals: int = 3) -> str:
    """`9.71 [8.90, 10.62]`: the figure and its interval, times `scale`."""
    value, low, high = (f"{scale * number:.{decimals}f}" for number in (figure.value, figure.low, figure.high))
    return f"{value} [{low}, {high}]"


def row_of(name: str, back_end: str, summary: Summary) -> list[str]:
    """One system as a row under `HEADER`: EER in per cent, minDCF by prior."""
    costs = [show_interval(summary.min_dcf[p_target]) for p_target in P_TARGETS]
    return [name, back_end, show_interval(summary.eer, 100.0, 2), *costs]


def aligned_table(header: Row, rows: Sequence[Row]) -> list[str]:
    """Lines with columns padded to equal width, a rule under the header."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return [_padded(line, widths).rstrip() for line in (header, rule, *rows)]


def markdown_table(header: Row, rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table; a bar in a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _padded(line: Row, widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
