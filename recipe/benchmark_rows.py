"""The rows of a benchmark, conf/benchmark/table.yaml, and their changes by `--scale`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.options import OptionError, choices, read_value
from common.yaml_text import read_yaml
from recipe.options import OPTIONS
from scoring.benchmark_table import BenchmarkRow, read_benchmark_rows

FULL = "full"
RESERVED = ("log", "report", "rows.json")
DEFAULT_TABLE = str(OPTIONS["benchmark_table"].default)


@dataclass(frozen=True)
class ChosenRow:
    """A row that is run.

    Attributes:
        name: of its experiment's directory.
        row: what it is.
        changes: of its experiment, `section.key=value`.
    """

    name: str
    row: BenchmarkRow
    changes: tuple[str, ...]

    def options(self) -> list[str]:
        """The words of ./pipeline.sh that choose its experiment."""
        kind = "nnet" if self.row.network else "ivector"
        changes = [word for change in self.changes for word in (f"--{kind}-opts", change)]
        return [f"--{kind}-config", self.row.config, *changes]


def all_rows(table: str, scale: str) -> list[ChosenRow]:
    """The rows of a table, in its order.

    Args:
        table: the file of the rows.
        scale: "full", or which file of changes in conf/benchmark.

    Raises:
        InputError: a file cannot be read, or the scale is unknown.
    """
    rows = {row.name: row for row in read_benchmark_rows(Path(table))}
    for name in RESERVED:
        if name in rows:
            raise InputError(f"{table}: a row has the name {name}, which the benchmark's folder needs; rename the row")
    changes = {} if scale == FULL else _changes(scale_file(scale), rows)
    return [ChosenRow(name, row, changes.get(name, ())) for name, row in rows.items()]


def chosen_rows(rows: Sequence[ChosenRow], names: str | None, table: str) -> list[ChosenRow]:
    """The rows that are run, in the order of the table.

    Args:
        rows: of the table.
        names: between commas; None: all.
        table: the file of the rows, for messages.

    Raises:
        InputError: a row is unknown, or its experiment is not a file.
    """
    known = [row.name for row in rows]
    wanted = known if names is None else names.split(",")
    for name in wanted:
        if name not in known:
            raise InputError(f"--rows has {name or 'an empty name'}; {choices(name, known)}")
    chosen = [row for row in rows if row.name in wanted]
    for each in chosen:
        if not Path(each.row.config).is_file():
            raise InputError(f"{table}: row {each.name} has the experiment {each.row.config}, which is not a file")
    return chosen


def scale_file(scale: str) -> str:
    """The file of changes of a scale.

    Raises:
        InputError: there is no such file.
    """
    path = Path("conf/benchmark", f"{scale}.yaml")
    if not path.is_file():
        found = sorted(each.stem for each in path.parent.glob("*.yaml") if each.stem != "table")
        raise InputError(f"--scale is {scale}; {choices(scale, [FULL, *found])}")
    return str(path)


def _changes(path: str, rows: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Row -> its changes. A key may name several rows, and rows of the default table that another table lacks."""
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected a mapping from rows to lists of changes")
    try:
        changes = {
            name.strip(): read_value(tuple[str, ...], str(names), value)
            for names, value in content.items()
            for name in str(names).split(",")
        }
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error
    if not changes.keys() <= set(rows):
        known = [*rows, *(row.name for row in read_benchmark_rows(Path(DEFAULT_TABLE)))]
        for name in changes:
            if name not in known:
                raise InputError(f"{path}: {name} is no row of the table; {choices(name, known)}")
    return changes
