"""The table of a benchmark: published figures beside those of the ledger, as they are and normalised (ᴺ)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.option_errors import OptionError, require
from common.options import REQUIRED, OptionSet, option, parse
from common.yaml_text import read_yaml
from scoring.back_ends import BACK_ENDS, HEADLINE, PUBLISHED_KEYS
from scoring.ledger_record import Figure, LedgerRecord
from scoring.results_table import show_interval

PUBLISHED_BACK_END = BACK_ENDS[HEADLINE]
BENCHMARK_HEADER = (
    *("system", "scoring", "EER %: published", "here [95 %]", "ᴺ published", "ᴺ here [95 %]"),
    *("minDCF(0.01): published", "here [95 %]", "ᴺ published", "ᴺ here [95 %]"),
)


@dataclass(frozen=True)
class BenchmarkRow(OptionSet):
    """A row of the benchmark."""

    name: str = option(REQUIRED, "name of the row, and of its runs in the ledger")
    title: str = option(REQUIRED, "what the table calls it")
    network: str | None = option(None, "the experiment of a network, a file of conf/nnet")
    ivector: str | None = option(None, "the experiment of i-vectors, a file of conf/ivector")
    published: dict[str, float] | None = option(None, "published figures: EER in per cent, minDCF; null: none")

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in self.published or {}:
            require(key in PUBLISHED_KEYS, "published", key, f"keys of {', '.join(PUBLISHED_KEYS)}")
        plain = re.fullmatch(r"[\w.-]*\w[\w.-]*", self.name)
        require(plain is not None, "name", self.name, "letters, digits and . _ - only")
        one = (self.network is None) != (self.ivector is None)
        require(one, "network", self.network, f"a file, or ivector in place of it (row {self.name})")

    @property
    def config(self) -> str:
        """The experiment's file."""
        return self.network or str(self.ivector)


def read_benchmark_rows(path: Path) -> list[BenchmarkRow]:
    """The rows of conf/benchmark/table.yaml: its list `rows`.

    Raises:
        InputError: not such a file, or two rows of one name.
    """
    content = read_yaml(path)
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: expected a list `rows` of mappings with name, title and published")
    try:
        read = [parse(BenchmarkRow, f"rows[{number}]", row) for number, row in enumerate(rows)]
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error
    names = [row.name for row in read]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: two rows have the name {twice[0]}; expected a name of its own for each")
    return read


def benchmark_table(
    records: Iterable[LedgerRecord],
    rows: Sequence[BenchmarkRow],
    test_set: str,
    back_ends: Sequence[str] = tuple(BACK_ENDS.values()),
    benchmark: str | None = None,
) -> list[list[str]]:
    """Lines under `BENCHMARK_HEADER`: one for each row and back end that the ledger has, or that was published.

    Args:
        records: of a ledger, in the order in which they were appended; of several results of a row the last counts.
        rows: the rows, in order.
        test_set: name of the test set.
        back_ends: the back ends, in order. Published figures are beside those of PLDA.
        benchmark: only records of the benchmark of this name; None: of all.

    Returns:
        Cells; a row that was not run here has a dash. Baselines of the runs are left out.
    """
    found = {
        (record.row, record.back_end, record.normalised): record
        for record in records
        if record.test_set == test_set and not record.baseline and benchmark in (None, record.benchmark)
    }
    lines = []
    for row in rows:
        titles = iter([row.title])
        for back_end in back_ends:
            published = row.published or {} if back_end == PUBLISHED_BACK_END else {}
            plain, normalised = (found.get((row.name, back_end, each)) for each in (False, True))
            if plain or normalised or back_end == PUBLISHED_BACK_END:
                lines.append([next(titles, ""), back_end, *_figure_cells(published, plain, normalised)])
    return lines


def _figure_cells(
    published: dict[str, float], plain: LedgerRecord | None, normalised: LedgerRecord | None
) -> list[str]:
    cells = []
    for key in PUBLISHED_KEYS:
        record = normalised if key.endswith("_normalised") else plain
        is_eer = key.startswith("eer")
        figure: Figure | None = None
        if record is not None:
            figure = record.eer if is_eer else record.min_dcf.get("0.01")
        scale, decimals = (100.0, 2) if is_eer else (1.0, 3)
        cells += [
            f"{published[key]:.{decimals}f}" if key in published else "",
            show_interval(figure, scale, decimals) if figure else "–",
        ]
    return cells
