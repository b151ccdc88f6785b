"""The tables of README.md and docs/results.md are those of docs/ledger, and no more tables are typed than before."""

from __future__ import annotations

from pathlib import Path

from scoring.document_tables import document_problems
from scoring.ledger import read_records
from scoring.table_specs import read_document_tables
from scoring.tables import SPECS, ledger_table

ROOT = Path(__file__).resolve().parents[2]

TYPED = 8  # lower it when a table is made from the ledger; never raise it
ELSEWHERE = 1  # sections with results that another program writes
KEPT_BYTES = 1 << 20  # of all ledgers in git: a result has some 5 kB, and tables show tens of them


def test_tables_of_the_documents_are_those_of_the_ledger() -> None:
    documents = read_document_tables(ROOT / SPECS)
    made = {name: ledger_table(spec, ROOT) for name, spec in documents.tables.items()}
    assert document_problems(documents, made, ROOT) == []


def test_the_number_of_typed_tables_does_not_grow() -> None:
    documents = read_document_tables(ROOT / SPECS)
    assert len(documents.typed) <= TYPED and len(documents.elsewhere) <= ELSEWHERE


def test_kept_results_are_of_commits_and_few() -> None:
    ledgers = sorted((ROOT / "docs" / "ledger").glob("*.jsonl"))
    records = [record for path in ledgers for record in read_records(path)]
    assert records and all(record.commit and record.clean for record in records)
    assert sum(path.stat().st_size for path in ledgers) < KEPT_BYTES


def test_every_kept_ledger_is_shown_by_a_table() -> None:
    used = {spec.ledger for spec in read_document_tables(ROOT / SPECS).tables.values()}
    assert used == {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "ledger").glob("*.jsonl")}
