"""docs/tables.yaml: the tables of the documents, and the results that each one shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.option_errors import OptionError, choices, require
from common.options import REQUIRED, OptionSet, option, parse
from common.yaml_text import read_yaml
from scoring.ledger_record import LedgerRecord

FIELDS = tuple(field.name for field in dataclasses.fields(LedgerRecord))


@dataclass(frozen=True)
class ColumnSpec(OptionSet):
    """A column of a table."""

    title: str = option(REQUIRED, "its title")
    value: str = option(
        REQUIRED, "`system` (the row's title), `eer`, `min_dcf_<prior>`, `seconds`, `peak_mb`, or a field of the ledger"
    )
    test_set: str | None = option(None, "the test set that it is of; null: that of the row")
    interval: bool = option(True, "of a figure: with its 95 % interval")
    best: bool = option(False, "of a figure: whether the least one of the column is bold")


@dataclass(frozen=True)
class RowSpec(OptionSet):
    """One or more lines of a table."""

    title: str = option(REQUIRED, "what the table calls the system")
    where: dict[str, Any] = option(REQUIRED, "field of the ledger -> value; `config.training.steps` goes into a field")
    back_ends: tuple[str, ...] = option(("PLDA",), "a line for each")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.where:
            require(name.partition(".")[0] in FIELDS, "where", name, "a field of docs/reference/ledger.md")


@dataclass(frozen=True)
class TableSpec(OptionSet):
    """A table that is made from a ledger: either of `rows` and `columns`, or of a benchmark."""

    page: str = option(REQUIRED, "the document")
    ledger: str = option(REQUIRED, "the ledger, a file in docs/ledger")
    columns: tuple[ColumnSpec, ...] = option((), "the columns")
    rows: tuple[RowSpec, ...] = option((), "the lines")
    benchmark_rows: str | None = option(None, "instead: the file of a benchmark's rows, conf/benchmark/table.yaml")
    benchmark: str | None = option(None, "with benchmark_rows: name of the benchmark run; null: whole ledger")
    test_set: str = option("test", "with benchmark_rows: the test set")

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = "either rows and columns, or benchmark_rows"
        plain = bool(self.rows and self.columns)
        require(plain != bool(self.benchmark_rows), "benchmark_rows", self.benchmark_rows, expected)


@dataclass(frozen=True)
class TypedTable(OptionSet):
    """A table that was typed, from runs without a ledger."""

    page: str = option(REQUIRED, "the document")
    date: str = option(REQUIRED, "when it was typed")
    commit: str = option(REQUIRED, "the commit that typed it")
    why: str = option(REQUIRED, "why it is not made from the ledger yet")


@dataclass(frozen=True)
class OtherSection(OptionSet):
    """A section `<!-- begin: NAME -->` whose tables another program writes."""

    page: str = option(REQUIRED, "the document")
    by: str = option(REQUIRED, "the program")


@dataclass(frozen=True)
class DocumentTables(OptionSet):
    """All tables of the documents."""

    pages: tuple[str, ...] = option(REQUIRED, "the documents whose tables are all listed here")
    tables: dict[str, TableSpec] = option(REQUIRED, "tables that are made from a ledger")
    typed: dict[str, TypedTable] = option(REQUIRED, "tables that were typed")
    elsewhere: dict[str, OtherSection] = option(REQUIRED, "sections that other programs write")


def read_document_tables(path: Path) -> DocumentTables:
    """The file docs/tables.yaml.

    Raises:
        InputError: an unknown or missing key, or a wrong value.
    """
    try:
        return parse(DocumentTables, "", read_yaml(path))
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error


def ledger_field(record: LedgerRecord, name: str) -> Any:
    """A field of a record; `config.training.steps` goes into its mappings.

    Raises:
        InputError: the record has no such field.
    """
    field, *keys = name.split(".")
    if field not in FIELDS:
        raise InputError(f"the ledger has no field {name!r}; {choices(field, FIELDS)}")
    value = getattr(record, field)
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
