"""The table of a benchmark: published figures beside those of the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from common.option_errors import OptionError
from scoring.benchmark_table import BENCHMARK_HEADER, BenchmarkRow, benchmark_table, read_benchmark_rows
from scoring.ledger import append_records
from scoring.ledger_record import LedgerRecord
from scoring.table_specs import TableSpec
from scoring.tables import ledger_table

from .helpers.records import made_up_record

XVECTOR = {"eer": 3.298, "eer_normalised": 3.213, "min_dcf_0.01": 0.343, "min_dcf_0.01_normalised": 0.342}
ROWS = [
    BenchmarkRow("xvector", "x-vector", network="x.yaml", published=XVECTOR),
    BenchmarkRow("ivector", "i-vector", ivector="i.yaml", published={"eer": 5.329}),
]


def records() -> list[LedgerRecord]:
    """An x-vector raw and normalised, one without PLDA, and a baseline of the same run, which the table leaves out."""
    return [
        made_up_record(0.04, row="xvector"),
        made_up_record(0.03, row="xvector", normalised=True),
        made_up_record(0.06, row="xvector", back_end="cosine"),
        made_up_record(0.9, row="xvector", system="MFCC statistics", baseline=True),
        made_up_record(0.9, row="xvector", test_set="calls"),
    ]


def test_each_row_has_published_and_measured_figures_raw_and_normalised() -> None:
    lines = benchmark_table(records(), ROWS, "test")
    assert lines == [
        [
            *("x-vector", "PLDA", "3.30", "4.00 [3.00, 5.00]", "3.21", "3.00 [2.00, 4.00]"),
            *("0.343", "0.400 [0.390, 0.410]", "0.342", "0.300 [0.290, 0.310]"),
        ],
        ["", "cosine", "", "6.00 [5.00, 7.00]", "", "–", "", "0.600 [0.590, 0.610]", "", "–"],
        ["i-vector", "PLDA", "5.33", "–", "", "–", "", "–", "", "–"],
    ]
    assert {len(line) for line in lines} == {len(BENCHMARK_HEADER)}


def test_of_a_repeated_row_the_newest_result_counts() -> None:
    lines = benchmark_table([*records(), made_up_record(0.02, row="xvector")], ROWS, "test", ["PLDA"])
    assert [line[3] for line in lines] == ["2.00 [1.00, 3.00]", "–"]


def test_of_two_experiments_of_a_row_the_one_appended_last_counts() -> None:
    """The place of the last record appeared first; the order of places must not count."""
    eers = ((0.02, "exp/a"), (0.04, "exp/b"), (0.03, "exp/a"))
    own = [made_up_record(eer, row="xvector", exp=exp) for eer, exp in eers]
    for records_, shown in ((own, "3.00"), (own[:2], "4.00"), (own[:1], "2.00")):
        assert benchmark_table(records_, ROWS[:1], "test")[0][3].split()[0] == shown


def test_two_benchmarks_of_one_ledger_do_not_mix() -> None:
    own = [made_up_record(eer, row="xvector", benchmark=name) for eer, name in ((0.02, "full"), (0.04, "small"))]
    own.append(made_up_record(0.05, row="xvector", back_end="cosine", benchmark="small"))
    for name, shown in (("full", ["2.00"]), ("small", ["4.00", "5.00"]), (None, ["4.00", "5.00"]), ("none", ["–"])):
        lines = benchmark_table(own, ROWS[:1], "test", benchmark=name)
        assert [line[3].split()[0] for line in lines] == shown


def test_a_published_figure_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match=r'published is "eer_raw"; expected keys of eer, eer_normalised'):
        BenchmarkRow("x", "x", network="x.yaml", published={"eer_raw": 3.0})


def test_the_rows_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    first = "{name: a, title: A, network: conf/nnet/a.yaml, published: {eer: 3}}"
    path.write_text(f"rows:\n- {first}\n- {{name: b, title: B, ivector: b.yaml}}\n")
    assert read_benchmark_rows(path) == [
        BenchmarkRow("a", "A", network="conf/nnet/a.yaml", published={"eer": 3.0}),
        BenchmarkRow("b", "B", ivector="b.yaml"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "expected a list `rows` of mappings"),
        ("rows: {a: 1}", "expected a list `rows` of mappings"),
        ("rows: [{name: a}]", r"rows\[0\].title is missing"),
        ("rows: [{name: a, title: A, published: {eer: low}}]", r"rows\[0\].published.eer is \"low\""),
    ],
)
def test_wrong_rows_are_named_with_their_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"table.yaml: {message}"):
        read_benchmark_rows(path)


def test_a_document_can_show_the_benchmark(tmp_path: Path) -> None:
    row = "{name: xvector, title: x-vector, network: x.yaml, published: {eer: 3.298}}"
    (tmp_path / "table.yaml").write_text(f"rows: [{row}]")
    own = [made_up_record(eer, row="xvector", benchmark=name) for eer, name in ((0.04, "small"), (0.01, "full"))]
    append_records(tmp_path / "ledger.jsonl", own)
    spec = TableSpec("README.md", "ledger.jsonl", benchmark_rows="table.yaml", benchmark="small")
    lines = ledger_table(spec, tmp_path)
    assert lines[0].startswith("| system | scoring | EER %: published | here [95 %] |")
    assert [line.split(" | ")[3] for line in lines[2:]] == ["4.00 [3.00, 5.00]"]
