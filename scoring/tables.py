"""The tables of the documents, made from ledgers of results. docs/tables.yaml says what each one shows.

    python3 -m scoring.tables [--check | --write]        compare the documents' tables with the ledgers, or write them
    python3 -m scoring.tables --keep exp/results.jsonl --to docs/ledger/mini.jsonl [--where row=mini-mini …]

A table is between `<!-- table: NAME -->` and `<!-- end of table -->`. exp/ is not in git, so `--keep` copies the newest
result of each system, back end and test set into a ledger of the documents.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, run_program
from common.progress import format_seconds
from common.whole_files import write_whole
from scoring.benchmark_table import BENCHMARK_HEADER, benchmark_table, read_benchmark_rows
from scoring.document_tables import document_problems, write_tables
from scoring.ledger import newest_records, read_ledger_lines, read_records
from scoring.ledger_record import Figure, LedgerRecord
from scoring.results_table import markdown_table, show_interval
from scoring.table_specs import ColumnSpec, RowSpec, TableSpec, ledger_field, read_document_tables

ROOT = Path(__file__).resolve().parents[1]
SPECS = Path("docs", "tables.yaml")


def ledger_table(spec: TableSpec, root: Path) -> list[str]:
    """The lines of a table in Markdown.

    Args:
        spec: what it shows.
        root: the checkout.

    Raises:
        InputError: the ledger cannot be read, or no result, or more than one, fits a line of the table.
    """
    records = read_records(root / spec.ledger)
    if spec.benchmark_rows is not None:
        rows = read_benchmark_rows(root / spec.benchmark_rows)
        cells = benchmark_table(records, rows, spec.test_set, benchmark=spec.benchmark)
        return markdown_table(BENCHMARK_HEADER, cells)
    records = newest_records(records)
    lines = [(row, back_end, not place) for row in spec.rows for place, back_end in enumerate(row.back_ends)]
    columns = [_column_cells(records, lines, column) for column in spec.columns]
    return markdown_table([column.title for column in spec.columns], list(zip(*columns, strict=True)))


def _column_cells(
    records: Sequence[LedgerRecord], lines: Sequence[tuple[RowSpec, str, bool]], column: ColumnSpec
) -> list[str]:
    """The cells of a column.

    Args:
        records: the newest of the ledger.
        lines: of each line its row, its back end, and whether it is the first of the row.
        column: what it shows.
    """
    if column.value == "system":
        return [row.title if is_first else "" for row, _, is_first in lines]
    if column.value == "back_end":
        return [back_end for _, back_end, _ in lines]
    chosen = [_record_for(records, row, back_end, column) for row, back_end, _ in lines]
    least = _least(chosen, column)
    return [_cell(record, column, least) for record in chosen]


def _record_for(records: Sequence[LedgerRecord], row: RowSpec, back_end: str, column: ColumnSpec) -> LedgerRecord:
    """The result that a cell shows."""
    where = {**row.where, "back_end": back_end}
    if column.test_set is not None:
        where["test_set"] = column.test_set
    found = [record for record in records if all(ledger_field(record, key) == value for key, value in where.items())]
    if len(found) != 1:
        wanted = ", ".join(f"{key}={value}" for key, value in where.items())
        raise InputError(f"{row.title}: {len(found)} results of the ledger fit {wanted}; expected one")
    return found[0]


def _figure_of(record: LedgerRecord, column: ColumnSpec) -> Figure | None:
    """The figure that a column shows; None if it shows something else."""
    if column.value == "eer":
        return record.eer
    start, _, prior = column.value.rpartition("_")
    if start != "min_dcf":
        return None
    if prior not in record.min_dcf:
        raise InputError(f"{column.title}: the ledger has no minDCF of {prior}, but of {', '.join(record.min_dcf)}")
    return record.min_dcf[prior]


def _least(records: Sequence[LedgerRecord], column: ColumnSpec) -> float | None:
    """The least figure of a column whose best one is bold."""
    figures = [figure.value for record in records if (figure := _figure_of(record, column)) is not None]
    return min(figures) if column.best and figures else None


def _cell(record: LedgerRecord, column: ColumnSpec, least: float | None) -> str:
    figure = _figure_of(record, column)
    if figure is not None:
        text = show_interval(figure, *((100.0, 2) if column.value == "eer" else (1.0, 3)))
        value, _, interval = text.partition(" ")
        shown = f"**{value}**" if figure.value == least else value
        return f"{shown} {interval}" if column.interval else shown
    if column.value == "seconds":
        return format_seconds(sum(cost.seconds for cost in record.stages))
    if column.value == "peak_mb":
        peaks = [cost.peak_mb for cost in record.stages if cost.peak_mb is not None]
        return f"{max(peaks):.0f}" if peaks else "not known"
    value = ledger_field(record, column.value)
    return "" if value is None else str(value)


def keep_results(ledgers: Sequence[Path], kept: Path, where: Sequence[tuple[str, str]], with_changes: bool) -> int:
    """Copy the newest results into a ledger of the documents, in place of earlier ones of the same place there.

    Args:
        ledgers: where they are.
        kept: the ledger of the documents; made if it does not exist.
        where: (field, value as text) that a result must have.
        with_changes: keep results of a checkout with changed files too.

    Returns:
        How many were copied.

    Raises:
        InputError: a ledger cannot be read, nothing fits, or a result is of changed files.
    """
    lines = [pair for path in ledgers for pair in read_ledger_lines(path)]
    fitting = [pair for pair in lines if all(str(ledger_field(pair[1], key)) == value for key, value in where)]
    newest = {record.place: (line, record) for line, record in fitting}
    if not newest:
        raise InputError(f"no result of {', '.join(map(str, ledgers))} fits {dict(where)}")
    changed = [record for _, record in newest.values() if not record.clean]
    if changed and not with_changes:
        found = f"{changed[0].exp}: scored by commit {changed[0].commit} with changed files"
        raise InputError(f"{found}; commit, then score again with --stage 12 --force, or add --with-changes")
    before = list(read_ledger_lines(kept)) if kept.is_file() else []
    content = {**{record.place: (line, record) for line, record in before}, **newest}
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, "".join(f"{line}\n" for line, _ in content.values()).encode())
    return len(newest)


def parse_condition(text: str) -> tuple[str, str]:
    """`field=value` as a pair.

    Raises:
        argparse.ArgumentTypeError: a part is missing.
    """
    field, equals, value = text.partition("=")
    if not (field and equals):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected `field=value`")
    return field, value


def _build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(prog="python3 -m scoring.tables", description=__doc__)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="print what differs (the default); code 1 if anything does")
    way.add_argument("--write", action="store_true", help="write the tables into the documents")
    way.add_argument("--keep", type=Path, nargs="+", metavar="LEDGER", help="copy results of these ledgers")
    parser.add_argument("--to", type=Path, metavar="FILE", help="with --keep: the ledger that gets them")
    parser.add_argument(
        "--where", type=parse_condition, action="append", default=[], metavar="FIELD=VALUE",
        help="with --keep: only results whose field has this value; repeatable",
    )  # fmt: skip
    parser.add_argument("--with-changes", action="store_true", help="with --keep: also results of changed files")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Check, write or keep; returns the exit code."""
    parser = _build_parser()
    args = parser.parse_args(argv)
    if bool(args.keep) != bool(args.to):
        parser.error("--keep and --to belong together")
    if args.keep:
        print(f"{keep_results(args.keep, args.to, args.where, args.with_changes)} results kept in {args.to}")
        return 0
    documents = read_document_tables(args.root / SPECS)
    made = {name: ledger_table(spec, args.root) for name, spec in documents.tables.items()}
    if args.write:
        for page in write_tables(documents, made, args.root):
            print(f"{page}: written")
    problems = document_problems(documents, made, args.root)
    print("\n".join([*problems, f"{len(made)} tables from ledgers, {len(documents.typed)} typed"]))
    return 1 if problems else 0


if __name__ == "__main__":
    run_program(main)
