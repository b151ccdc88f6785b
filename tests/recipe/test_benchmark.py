"""--benchmark: which rows are run with which options, and what happens to the others when one fails."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from common.errors import InputError
from recipe.benchmark import Benchmark, run_benchmark, run_rows
from recipe.benchmark_rows import all_rows, chosen_rows
from recipe.command_line import Given
from recipe.row_run import BENCHMARK_NAME

TABLE_FILE = "conf/benchmark/table.yaml"
TABLE = """rows:
- {name: one, title: "One, first", network: conf/nnet/mini.yaml}
- {name: two, title: Two, ivector: conf/ivector/small.yaml, published: {eer: 5.3}}
"""


def benchmark_of(checkout: Path, *words: object) -> Benchmark:
    return Benchmark([str(word) for word in words], Given(checkout, checkout))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two rows."""
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    return path


def test_every_row_of_the_table_has_a_valid_plan(checkout: Path) -> None:
    for scale in ("full", "small"):
        benchmark = benchmark_of(checkout, "--benchmark", "--scale", scale)
        names = [row.name for row in benchmark.rows]
        assert names[:9] == ["i-vector", "x-vector", *(f"lde{number}" for number in range(1, 8))]
        assert [row.name for row in benchmark.rows if row.row.published] == names[:9]


def test_a_row_gets_the_options_of_the_benchmark_and_its_own(checkout: Path, table: Path) -> None:
    benchmark = benchmark_of(
        checkout, "--benchmark", "--benchmark-table", table, "--seed", 3, "--exp", "exp/b", "--rows", "two"
    )
    [row] = benchmark.rows
    assert benchmark.words_of(row) == [
        *("--seed=3", "--normalised", "true", "--baselines", "false", "--exp", "exp/b/two"),
        *("--ivector-config", "conf/ivector/small.yaml"),
    ]


def test_a_scale_changes_the_rows_that_it_names(checkout: Path) -> None:
    [row] = chosen_rows(all_rows(TABLE_FILE, "small"), "i-vector", TABLE_FILE)
    assert row.options()[:4] == ["--ivector-config", "conf/ivector/ivector.yaml", "--ivector-opts", row.changes[0]]
    [full] = chosen_rows(all_rows(TABLE_FILE, "full"), "i-vector", TABLE_FILE)
    assert full.changes == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "i-vector,lde9"], "--rows has lde9; choose one of: .*lde1"),
        (["--rows", "i-vector,"], "--rows has an empty name"),
        (["--scale", "smal"], 'choose one of: full, small, tiny .did you mean "small"'),
        (["--nnet-opts", "training.steps=1"], "--nnet-opts is not for --benchmark"),
        (["--ivector-config", "x"], "--ivector-config is not for --benchmark"),
        (["--force"], "--force is not for --benchmark; remove"),
        (["--stage", "6"], "--stage is not for --benchmark"),
        (["--jobs", "0"], "--jobs is \"0\"; expected an integer >= 1"),
        (["--benchmark-table", "conf/fbank.conf"], "conf/fbank.conf"),
    ],
)  # fmt: skip
def test_what_contradicts_a_benchmark_is_an_error(checkout: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        benchmark_of(checkout, "--benchmark", *words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: {a: 1}\n", "expected a list `rows`"),
        ("rows:\n- {name: a, title: A}\n", "expected a file, or ivector in place of it .row a."),
        ("rows:\n- {name: a, title: A, network: x, ivector: y}\n", "or ivector in place of it"),
        ("rows:\n- {name: a, title: A, network: none.yaml}\n", "row a has the experiment none.yaml, which is not"),
        ("rows:\n- {name: a, title: A, network: conf/fbank.conf}\n", "row a: conf/fbank.conf"),
        ("rows:\n- {name: a, title: A, networ: x}\n", "networ is unknown"),
        ("rows:\n- {name: ../a, title: A, network: conf/nnet/mini.yaml}\n", "name is .*letters, digits and"),
        (f"{TABLE}- {{name: one, title: A, network: conf/nnet/mini.yaml}}\n", "two rows have the name one"),
        ("rows:\n- {name: a, title: A, network: x, published: {err: 3}}\n", "published"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used(checkout: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        benchmark_of(checkout, "--benchmark", "--benchmark-table", path)


FAKE = """#!/usr/bin/env bash
while [ "$1" != --exp ]; do shift; done
mkdir -p "$2"
echo "12:00:00 stage 6/12: begins"
echo "not a stage"
if [ -e "$2/wrong" ]; then echo "the reason" >&2; exit 7; fi
if [ -e "$2/waits" ]; then until [ -e "$2/../one/began" ]; do sleep 0.05; done; fi
touch "$2/began"
if [ -e "$2/waits_too" ]; then until [ -e "$2/../two/began" ]; do sleep 0.05; done; fi
echo "$PIPELINE_BENCHMARK $PIPELINE_CORES" > "$2/environment"
echo "12:00:09 stage 6/12: done in 9 s"
"""


@pytest.fixture
def faked(checkout: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """A benchmark of two rows at once, whose ./pipeline.sh is a stand-in."""
    benchmark = benchmark_of(
        checkout, "--benchmark", "--benchmark-table", table, "--exp", tmp_path / "exp", "--jobs", "2"
    )
    script = tmp_path / "work" / "pipeline.sh"
    script.parent.mkdir()
    script.write_text(FAKE)
    script.chmod(0o755)
    monkeypatch.chdir(script.parent)
    monkeypatch.setenv("PIPELINE_CORES", "5")
    return benchmark


def test_rows_run_side_by_side_and_share_the_cores(faked: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    for name, waits in (("one", "waits_too"), ("two", "waits")):
        (faked.folder / name).mkdir(parents=True)
        (faked.folder / name / waits).touch()  # for each other: one after the other they would never end
    runs = run_rows(faked)
    assert [run.status for run in runs] == ["done", "done"]
    assert (faked.folder / "one/environment").read_text() == f"{faked.folder.name} 2\n"
    printed = capsys.readouterr().err
    assert re.search(r"^  two: 12:00:00 stage 6/12: begins$", printed, re.MULTILINE) and "not a stage" not in printed
    assert "(2 of 2 rows)" in printed and "(1 of 2 rows; about" in printed


def test_a_row_that_fails_does_not_stop_the_others(faked: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    (faked.folder / "one").mkdir(parents=True)
    (faked.folder / "one" / "wrong").touch()
    runs = run_rows(faked)
    assert [(run.status, run.code) for run in runs] == [("failed", 7), ("done", 0)]
    assert runs[0].last_lines()[-1] == "the reason"
    assert f"row one: failed with code 7; see {faked.folder}/log/one.log" in capsys.readouterr().err
    rows = json.loads((faked.folder / "rows.json").read_text())["rows"]
    assert [(row["name"], row["status"]) for row in rows] == [("one", "failed"), ("two", "done")]
    assert rows[0]["title"] == "One, first" and rows[1]["published"] == {"eer": 5.3}


def test_rows_of_an_earlier_benchmark_stay_in_the_report(
    checkout: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faked: Benchmark
) -> None:
    (faked.folder / "one").mkdir(parents=True)
    (faked.folder / "one" / "results.json").write_text("{}")
    monkeypatch.chdir(checkout)
    benchmark = benchmark_of(
        checkout, "--benchmark", "--benchmark-table", table, "--exp", tmp_path / "exp", "--rows", "two"
    )
    monkeypatch.chdir(tmp_path / "work")
    runs = run_rows(benchmark)
    assert [(run.name, run.status, run.code) for run in runs] == [("one", "done", None), ("two", "done", 0)]
    rows = json.loads((faked.folder / "rows.json").read_text())["rows"]
    assert [(row["name"], row["log"] is None) for row in rows] == [("one", True), ("two", False)]


def test_a_dry_run_prints_the_commands_alone(
    checkout: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--benchmark", "--benchmark-table", str(table), "--exp", str(tmp_path / "exp"), "--dry-run"]
    assert run_benchmark(words, Given(checkout, checkout)) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("./pipeline.sh ")]
    assert len(lines) == 2 and f"--exp {tmp_path}/exp/one --nnet-config conf/nnet/mini.yaml" in lines[0]
    assert not (tmp_path / "exp").exists() and BENCHMARK_NAME not in os.environ
