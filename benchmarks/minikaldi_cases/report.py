"""The figures as a table on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.minikaldi_cases.growth import Growth
from benchmarks.minikaldi_cases.place import Row

Cells = list[list[str]]
BYTES_OF_A_KEY = 1000  # a command that streams may keep a list's keys and file names, no object
ROW_TITLES = ["what", "unit", "Kaldi, another machine", "goal", "minikaldi", "speed / Kaldi's", "peak MB", "met"]
KALDI_HERE = "Kaldi, here"


def machine() -> dict[str, str]:
    """Processor, cores, memory, operating system and the versions that the figures depend on."""
    import numpy
    import scipy

    cpuinfo = Path("/proc/cpuinfo")  # only Linux has it
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


def number(value: float | None) -> str:
    """Three digits, with a comma between thousands; empty for None."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def comparable(row: Row, scale: str) -> bool:
    """Whether Kaldi's figure and the goal mean something at this scale; at the smallest all is start-up."""
    return scale == "full" or row.part == "start" or (scale == "small" and not row.full_only)


def without_goal(row: Row) -> Row:
    """The figure alone."""
    return dataclasses.replace(row, kaldi=None, goal=None, goal_mb=None)


def row_table(rows: Sequence[Row], scale: str) -> tuple[list[str], Cells]:
    """Titles and lines; Kaldi has a column if it was measured in the same run."""
    titles, cells = list(ROW_TITLES), row_cells(rows, scale)
    if any(row.kaldi_here is not None for row in rows):
        place = titles.index("minikaldi") + 1
        titles.insert(place, KALDI_HERE)
        for line, row in zip(cells, rows, strict=True):
            line.insert(place, number(row.kaldi_here))
    return titles, cells


def row_cells(rows: Sequence[Row], scale: str) -> Cells:
    """One line of words a row; figures that hold only at full size are left out at others."""
    cells = []
    for row in rows:
        shown = row if comparable(row, scale) else without_goal(row)
        met = {True: "yes", False: "**no**", None: ""}[shown.met()]
        goal = ("≥ " if row.more_is_better else "≤ ") + number(shown.goal) if shown.goal is not None else ""
        if shown.goal_mb is not None:
            goal += f"{', ' if goal else ''}≤ {shown.goal_mb:g} MB"
        ratio = number(shown.times_kaldi())
        cells.append([row.what, row.unit, number(shown.kaldi), goal, number(row.ours), ratio, number(row.peak_mb), met])
    return cells


def growth_cells(growths: Sequence[Growth], counted: str) -> tuple[list[str], Cells]:
    """Titles and lines: processor seconds and peak memory at each size, the exponent of growth."""
    chosen = [growth for growth in growths if growth.case.counted == counted]
    if not chosen:
        return [], []
    sizes = [f"{n:,}" for n in chosen[0].counts]
    titles = [f"{counted}:", *(f"{n} s" for n in sizes), "exponent", *(f"{n} MB" for n in sizes), "memory"]
    cells = []
    for growth in chosen:
        seconds = [number(usage.cpu) for usage in growth.usages]
        memory = [number(usage.peak_mb) for usage in growth.usages]
        exponent = growth.exponent()
        more = f"+{growth.bytes_per_item():,.0f} B each"
        if growth.case.streams and growth.bytes_per_item() > BYTES_OF_A_KEY:
            more = f"**{more}**"
        kind = "flat" if growth.is_flat() else more
        cells.append([growth.case.what, *seconds, "" if exponent is None else f"{exponent:.2f}", *memory, kind])
    return titles, cells


def markdown_table(titles: Sequence[str], cells: Cells) -> str:
    """A table of Markdown, without a line end; empty without lines."""
    if not cells:
        return ""
    lines = [titles, ["---"] * len(titles), *cells]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def plain_table(titles: Sequence[str], cells: Cells) -> str:
    """Columns of equal width: the first to the left, numbers to the right."""
    if not cells:
        return ""
    lines = [[cell.replace("**", "") for cell in line] for line in [list(titles), *cells]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    return "\n".join("  ".join(map(_padded, line, widths, range(len(line)))) for line in lines)


def _padded(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


@dataclasses.dataclass
class Report:
    """All figures of a run and where they come from."""

    command: str
    scale: str
    repeats: int
    rows: list[Row]
    growths: list[Growth]
    kaldi: str = ""  # root of the real Kaldi that was measured too
    machine: dict[str, str] = dataclasses.field(default_factory=machine)

    def tables(self) -> list[tuple[list[str], Cells]]:
        """Titles and lines: the rows, growth by utterances, growth by trials."""
        by_count = [growth_cells(self.growths, counted) for counted in ("utterances", "trials")]
        return [row_table(self.rows, self.scale), *by_count]

    def origin(self) -> str:
        """One sentence: machine, versions, date, command line."""
        found = self.machine
        return (
            f"{found['processor']}, {found['cores']} cores, {found['memory']}, {found['system']}; "
            f"Python {found['python']}, numpy {found['numpy']}, scipy {found['scipy']}; {found['date']}; "
            f"`{self.command}` (scale {self.scale}, median of {self.repeats}, one thread"
            + (f"; in turns with the Kaldi of {self.kaldi})." if self.kaldi else ").")
        )

    def plain(self) -> str:
        """For the terminal."""
        return "\n\n".join(filter(None, [self.origin(), *(plain_table(*table) for table in self.tables())]))

    def markdown(self) -> str:
        """For docs/benchmarks.md."""
        origin = textwrap.fill(f"Machine: {self.origin()}", 120, break_long_words=False, break_on_hyphens=False)
        return "\n\n".join(filter(None, [origin, *(markdown_table(*table) for table in self.tables())]))

    def as_json(self) -> dict[str, Any]:
        """Every figure, unrounded."""
        rows = [
            {**dataclasses.asdict(row), "times_kaldi": row.times_kaldi(), "met": row.met()}
            for row in (row if comparable(row, self.scale) else without_goal(row) for row in self.rows)
        ]
        growth = [
            {**dataclasses.asdict(g.case), "counts": g.counts, "usages": [dataclasses.asdict(u) for u in g.usages],
             "exponent": g.exponent(), "bytes_per_item": g.bytes_per_item()}
            for g in self.growths
        ]  # fmt: skip
        head = {name: getattr(self, name) for name in ("command", "scale", "repeats", "kaldi", "machine")}
        return {**head, "rows": rows, "growth": growth}
