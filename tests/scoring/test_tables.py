"""Tables of documents from a ledger: which results they show, and what a check finds."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from scoring.ledger import append_records, read_records
from scoring.ledger_record import LedgerRecord, to_line
from scoring.table_specs import ledger_field, read_document_tables
from scoring.tables import ledger_table, main

from .helpers.records import made_up_record

SPECS = """
pages: [README.md]
tables:
  small:
    page: README.md
    ledger: docs/ledger/small.jsonl
    columns:
      - {title: system, value: system}
      - {title: scoring, value: back_end}
      - {title: EER %, value: eer, best: true}
      - {title: minDCF(0.01), value: min_dcf_0.01, interval: false}
      - {title: time, value: seconds}
      - {title: MB, value: peak_mb}
      - {title: width, value: config.encoder.width}
    rows:
      - {title: a network, where: {row: mini, system: network, config.training.steps: 800}, back_ends: [PLDA, cosine]}
      - {title: a baseline, where: {system: MFCC statistics}}
typed:
  old: {page: README.md, date: "2026-01-01", commit: "12", why: no ledger then}
elsewhere:
  figures: {page: README.md, by: a program}
"""
PAGE = """# Title

<!-- table: small -->
<!-- end of table -->

<!-- typed table: old -->

| a | b |
|---|---|
| 1 | 2 |

<!-- end of table -->

<!-- begin: figures -->
| c |
| --- |
<!-- end: figures -->
"""
TABLE = """| system | scoring | EER % | minDCF(0.01) | time | MB | width |
| --- | --- | --- | --- | --- | --- | --- |
| a network | PLDA | **4.00** [3.00, 5.00] | 0.400 | 1:20 | 900 | 512 |
|  | cosine | 6.00 [5.00, 7.00] | 0.600 | 1:20 | 900 | 512 |
| a baseline | PLDA | 9.00 [8.00, 10.00] | 0.900 | 0:00 | not known |  |"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A document with a table, the ledger that it is of, and docs/tables.yaml."""
    (tmp_path / "docs" / "ledger").mkdir(parents=True)
    (tmp_path / "docs" / "tables.yaml").write_text(SPECS)
    (tmp_path / "README.md").write_text(PAGE)
    baseline = made_up_record(0.09, system="MFCC statistics", baseline=True, config=None, stages=())
    records = [made_up_record(0.05), made_up_record(0.06, back_end="cosine"), baseline, made_up_record(0.04)]
    append_records(tmp_path / "docs" / "ledger" / "small.jsonl", records)
    return tmp_path


def tables(checkout: Path, *words: str) -> int:
    return main(["--root", str(checkout), *words])


def test_the_newest_result_is_written_between_the_comments(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables(checkout) == 1
    differs = "README.md: table small: differs from the ledger; run python3 -m scoring.tables --write\n"
    assert differs in capsys.readouterr().out
    assert (checkout / "README.md").read_text() == PAGE  # a check writes nothing
    assert tables(checkout, "--write") == 0
    text = (checkout / "README.md").read_text()
    assert text == PAGE.replace("<!-- table: small -->\n", f"<!-- table: small -->\n\n{TABLE}\n\n")
    capsys.readouterr()
    assert tables(checkout) == 0 and tables(checkout, "--write") == 0
    assert capsys.readouterr().out == "1 tables from ledgers, 1 typed\n" * 2
    assert (checkout / "README.md").read_text() == text


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<!-- typed table: old -->", "", "README.md: typed table old: its two comments are missing"),
        ("table: old", "table: new", "README.md: typed table new: not in docs/tables.yaml for this page"),
        ("<!-- begin: figures", "<!-- begin: others", "README.md:22: a table without <!-- table: NAME -->"),
        ("# Title\n", "# Title\n\n| d |\n|---|\n", "README.md:3: a table without <!-- table: NAME -->"),
    ],
)
def test_a_table_that_nothing_accounts_for_is_found(
    checkout: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, problem: str
) -> None:
    assert tables(checkout, "--write") == 0
    text = (checkout / "README.md").read_text()
    assert old in text
    (checkout / "README.md").write_text(text.replace(old, new))
    capsys.readouterr()
    assert tables(checkout) == 1
    assert problem in capsys.readouterr().out


def test_a_line_that_no_result_or_more_than_one_fits_is_refused(checkout: Path) -> None:
    spec = read_document_tables(checkout / "docs" / "tables.yaml").tables["small"]
    ledger = checkout / "docs" / "ledger" / "small.jsonl"
    append_records(ledger, [made_up_record(0.5, test_set="calls")])
    with pytest.raises(InputError, match="a network: 2 results of the ledger fit row=mini, system=network"):
        ledger_table(spec, checkout)
    lonely = dataclasses.replace(spec, rows=(dataclasses.replace(spec.rows[1], back_ends=("LDA",)),))
    with pytest.raises(InputError, match="a baseline: 0 results of the ledger fit system=MFCC statistics, back_end=L"):
        ledger_table(lonely, checkout)


def test_columns_of_two_test_sets_stand_in_one_line(checkout: Path) -> None:
    ledger = checkout / "docs" / "ledger" / "small.jsonl"
    calls = [made_up_record(eer, test_set="calls", back_end=name) for eer, name in ((0.5, "PLDA"), (0.3, "cosine"))]
    append_records(ledger, calls)
    spec = read_document_tables(checkout / "docs" / "tables.yaml").tables["small"]
    system, back_end, eer, *_ = spec.columns
    both = [dataclasses.replace(eer, test_set=name, interval=False) for name in ("test", "calls")]
    two = dataclasses.replace(spec, columns=(system, back_end, *both), rows=spec.rows[:1])
    lines = ["| a network | PLDA | **4.00** | 50.00 |", "|  | cosine | 6.00 | **30.00** |"]
    assert ledger_table(two, checkout)[2:] == lines


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value: eer", "valeu: eer", "valeu is unknown"),
        ("system: network", "sytem: network", 'where is "sytem"; expected a field of docs/reference/ledger.md'),
        ("    page: README.md\n    ledger", "    ledger", "page is missing"),
        ("    rows:", "    benchmark_rows: x.yaml\n    rows:", "expected either rows and columns, or benchmark_rows"),
    ],
)
def test_a_wrong_key_of_the_specification_is_named(checkout: Path, old: str, new: str, message: str) -> None:
    path = checkout / "docs" / "tables.yaml"
    assert old in SPECS
    path.write_text(SPECS.replace(old, new))
    with pytest.raises(InputError) as refusal:
        read_document_tables(path)
    assert str(refusal.value).startswith(f"{path}: ") and message in str(refusal.value)


def test_a_field_that_the_ledger_lacks_is_refused_with_the_choices() -> None:
    assert ledger_field(made_up_record(), "config.training.steps") == 800
    assert ledger_field(made_up_record(), "config.training.none.deeper") is None
    with pytest.raises(InputError, match=r"the ledger has no field 'ere'; choose one of: .*did you mean .eer"):
        ledger_field(made_up_record(), "ere")


def kept(checkout: Path, ledger: Path, *words: str) -> list[LedgerRecord]:
    to = checkout / "docs" / "ledger" / "kept.jsonl"
    assert tables(checkout, "--keep", str(ledger), "--to", str(to), *words) == 0
    return read_records(to)


def test_the_newest_results_are_kept_in_place_of_earlier_ones(checkout: Path) -> None:
    ledger = checkout / "results.jsonl"
    append_records(ledger, [made_up_record(0.05), made_up_record(0.04), made_up_record(0.03, row="other")])
    assert [record.eer.value for record in kept(checkout, ledger, "--where", "row=mini")] == [0.04]
    append_records(ledger, [made_up_record(0.02)])
    assert [record.eer.value for record in kept(checkout, ledger)] == [0.02, 0.03]
    assert kept(checkout, ledger) == kept(checkout, ledger)


def test_a_kept_line_is_the_line_itself(checkout: Path) -> None:
    """Fields of a newer version are not lost."""
    ledger = checkout / "results.jsonl"
    line = to_line(made_up_record()).replace('"version": 1', '"version": 2, "colour": "red"')
    ledger.write_text(f"{line}\n")
    kept(checkout, ledger)
    assert (checkout / "docs" / "ledger" / "kept.jsonl").read_text() == f"{line}\n"


@pytest.mark.parametrize("clean", [False, None])
def test_results_of_changed_files_are_refused(checkout: Path, clean: bool | None) -> None:
    ledger = checkout / "results.jsonl"
    append_records(ledger, [made_up_record(clean=clean)])
    words = ["--keep", str(ledger), "--to", str(checkout / "kept.jsonl")]
    with pytest.raises(InputError, match="exp/mini: scored by commit abc with changed files; commit, then score again"):
        tables(checkout, *words)
    assert not (checkout / "kept.jsonl").exists()
    assert tables(checkout, *words, "--with-changes") == 0


def test_the_program_ends_with_a_line_for_a_wrong_call(root: Path, checkout: Path) -> None:
    for words, message in (
        (["--keep", "x"], "--keep and --to belong together"),
        (["--keep", checkout / "none", "--to", "x"], "none: no such ledger"),
        (["--where", "x"], "found 'x', expected `field=value`"),
    ):
        command = [sys.executable, "-m", "scoring.tables", "--root", checkout, *words]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "") and message in done.stderr.splitlines()[-1]
