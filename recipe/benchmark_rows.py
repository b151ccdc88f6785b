"""The rows of a benchmark: conf/benchmark/table.yaml, and their changes at `--scale small`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.options import OptionError, OptionSet, choices, option, parse, read_value, require
from common.yaml_text import read_yaml

TABLE = "conf/benchmark/table.yaml"
SMALL = "conf/benchmark/small.yaml"


@dataclass(frozen=True)
class PublishedFigures(OptionSet):
    """What was published for a row, on the VoxCeleb1 test list by PLDA."""

    eer: float | None = option(None, "EER in percent", least=0, most=100)
    min_dcf: float | None = option(None, "minDCF(0.01)", least=0)
    eer_normalised: float | None = option(None, "EER in percent of normalised embeddings", least=0, most=100)
    min_dcf_normalised: float | None = option(None, "minDCF(0.01) of normalised embeddings", least=0)


@dataclass(frozen=True)
class BenchmarkRow(OptionSet):
    """One row of the table."""

    title: str = option("", "the row's name in the table")
    network: str | None = option(None, "the experiment of a network, a file of conf/nnet")
    ivector: str | None = option(None, "the experiment of i-vectors, a file of conf/ivector")
    published: PublishedFigures | None = option(None, "figures that were published for it")

    def __post_init__(self) -> None:
        super().__post_init__()
        either = "a network or i-vectors, one of both"
        require((self.network is None) != (self.ivector is None), "network", self.network, either)

    @property
    def config(self) -> str:
        """The experiment's file."""
        return self.network or str(self.ivector)


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


def chosen_rows(names: str | None, scale: str, table: str = TABLE, small: str = SMALL) -> list[ChosenRow]:
    """The rows of a benchmark, in the order of the table.

    Args:
        names: between commas; None: all.
        scale: "small" or "full".
        table: the file of the rows.
        small: the file of their changes at scale "small".

    Raises:
        InputError: a file cannot be read, or a row is unknown.
    """
    rows = {name: _row(name, value, table) for name, value in _mapping(table).items()}
    changes = {name: _changes(name, value, rows, small) for name, value in _mapping(small).items()}
    wanted = list(rows) if names is None else names.split(",")
    for name in wanted:
        if name not in rows:
            raise InputError(f"--rows has {name or 'an empty name'}; {choices(name, rows)}")
    lines = [ChosenRow(name, row, changes.get(name, ()) if scale == "small" else ()) for name, row in rows.items()]
    return [line for line in lines if line.name in wanted]


def _mapping(path: str) -> Mapping[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: expected a mapping from names of rows")
    return {str(name): value for name, value in content.items()}


def _row(name: str, value: object, path: str) -> BenchmarkRow:
    try:
        row = parse(BenchmarkRow, name, value)
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error
    if not Path(row.config).is_file():
        raise InputError(f"{path}: {name} names {row.config}, which is not a file")
    return row


def _changes(name: str, value: object, rows: Mapping[str, BenchmarkRow], path: str) -> tuple[str, ...]:
    if name not in rows:
        raise InputError(f"{path}: {name} is no row of the table; {choices(name, rows)}")
    try:
        changes: tuple[str, ...] = read_value(tuple[str, ...], name, value)
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error
    return changes


def published_of(row: BenchmarkRow) -> dict[str, float] | None:
    """The published figures that there are, by name; None if there are none."""
    if row.published is None:
        return None
    values: Sequence[tuple[str, float | None]] = [(f.name, getattr(row.published, f.name)) for f in fields(row.published)]
    return {name.replace("min_dcf", "min_dcf_0.01"): value for name, value in values if value is not None}
