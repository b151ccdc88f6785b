"""--benchmark: which rows are run with which options, and what happens to the others when one fails."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from common.errors import InputError
from recipe.benchmark import Benchmark, run_benchmark
from recipe.benchmark_results import benchmark_lines
from recipe.benchmark_rows import all_rows, chosen_rows
from recipe.command_line import Given
from recipe.row_run import BENCHMARK_NAME, RowRun
from recipe.row_runs import lock_folder, run_rows
from recipe.stages import planned_stages
from scoring.ledger import append_records
from tests.scoring.helpers.records import made_up_record

from .conftest import MakePlan

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
        *("--seed=3", "--normalised", "true", "--baselines", "false", "--benchmark", "false"),
        *("--exp", "exp/b/two", "--ivector-config", "conf/ivector/small.yaml"),
    ]


def test_options_of_networks_go_to_networks(checkout: Path, table: Path) -> None:
    words = ("--benchmark", "--benchmark-table", table, "--inference", "mode=windows", "--scale", "full")
    network, ivectors = benchmark_of(checkout, *words).plans
    assert network.inference == ("mode=windows",) and ivectors.inference == ()
    assert network.options.max_steps is None  # the rows as they are declared, whatever the corpus file has


@pytest.mark.parametrize("corpus", ["mini", "folder"])
def test_the_plans_of_all_rows_agree_on_the_stages_that_they_share(
    checkout: Path, folder_corpus: list[str], corpus: str
) -> None:
    words = folder_corpus if corpus == "folder" else []
    benchmark = benchmark_of(checkout, "--benchmark", "--scale", "small", *words)
    shared: dict[Path, set[tuple[object, ...]]] = {}
    for plan in benchmark.plans:
        for each in planned_stages(plan):
            if each.folder != plan.exp:
                seen = (tuple(each.options.items()), each.inputs, each.outputs)
                shared.setdefault(each.marker, set()).add(seen)
    assert len(shared) > 10
    assert [str(marker) for marker, ways in shared.items() if len(ways) > 1] == []


def test_benchmarks_of_other_kinds_have_folders_of_their_own(checkout: Path, table: Path) -> None:
    assert str(benchmark_of(checkout, "--benchmark").folder) == "exp/mini-benchmark-small"
    own = benchmark_of(checkout, "--benchmark", "--benchmark-table", table, "--scale", "full")
    assert str(own.folder) == "exp/mini-benchmark-full-table"


@pytest.mark.parametrize("words", [["--rows", "lde3"], ["--jobs", "4"], ["--scale", "full"]])
def test_options_of_benchmarks_need_one(plan_of: MakePlan, words: list[str]) -> None:
    with pytest.raises(InputError, match=f"{words[0]} is for --benchmark, which is not given"):
        plan_of(*words)


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
        (["--stage", "6"], "--stage is 6, but rows of --benchmark begin at stage 0 or 1"),
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
        ("rows:\n- {name: log, title: A, network: conf/nnet/mini.yaml}\n", "a row has the name log, which the"),
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
echo "$PIPELINE_BENCHMARK $PIPELINE_CORES $PIPELINE_LEDGER" > "$2/environment"
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


def finished(benchmark: Benchmark) -> list[RowRun]:
    """The rows, after they have run."""
    runs = benchmark.runs()
    run_rows(benchmark, runs)
    return runs


def test_rows_run_side_by_side_and_share_the_cores(faked: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    for name, waits in (("one", "waits_too"), ("two", "waits")):
        (faked.folder / name).mkdir(parents=True)
        (faked.folder / name / waits).touch()  # for each other: one after the other they would never end
    runs = finished(faked)
    assert [run.status for run in runs] == ["done", "done"]
    environment = (faked.folder / "one/environment").read_text()
    assert environment == f"{faked.folder.name} 2 {faked.folder.parent}/results.jsonl\n"
    printed = capsys.readouterr().err
    assert re.search(r"^  two: 12:00:00 stage 6/12: begins$", printed, re.MULTILINE) and "not a stage" not in printed
    assert "(2 of 2 rows)" in printed and "(1 of 2 rows; about" in printed
    assert printed.count(": done in 9 s") == 2  # the last line of each, too


def test_a_row_that_fails_does_not_stop_the_others(faked: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    (faked.folder / "one").mkdir(parents=True)
    (faked.folder / "one" / "wrong").touch()
    runs = finished(faked)
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
    runs = finished(benchmark)
    assert [(run.name, run.status, run.code) for run in runs] == [("one", "done", None), ("two", "done", 0)]
    rows = json.loads((faked.folder / "rows.json").read_text())["rows"]
    assert [(row["name"], row["log"] is None) for row in rows] == [("one", True), ("two", False)]


def test_a_row_that_has_failed_has_no_figures_of_an_earlier_run(faked: Benchmark) -> None:
    kept = [made_up_record(0.05, row=name, benchmark=faked.folder.name) for name in ("one", "two")]
    other = made_up_record(0.01, row="two", benchmark="another")
    append_records(faked.folder.parent / "results.jsonl", [*kept, other])
    runs = faked.runs()
    runs[0].status = "failed"
    lines = benchmark_lines(faked.folder, runs, ["test"])
    [failed, done] = [line for line in lines if line.startswith(("One", "Two"))]
    assert failed.startswith("One, first (failed)") and "5.00" not in failed
    assert "5.00" in done and "1.00" not in done


def test_two_benchmarks_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path / "exp"),
        pytest.raises(InputError, match="another benchmark is at work"),
        lock_folder(tmp_path / "exp"),
    ):
        pass


def test_a_request_to_end_reaches_the_rows_and_is_reported(faked: Benchmark) -> None:
    for name in ("one", "two"):
        (faked.folder / name).mkdir(parents=True)
    (faked.folder / "two" / "waits").touch()  # for ever: row one does not begin
    (faked.folder / "one" / "wrong").touch()
    runs = faked.runs()
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(KeyboardInterrupt):
        run_rows(faked, runs)
    assert [run.status for run in runs] == ["failed", "missing"] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert not (faked.folder / "two" / "environment").exists()


def test_a_dry_run_prints_the_commands_alone(
    checkout: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--benchmark", "--benchmark-table", str(table), "--exp", str(tmp_path / "exp"), "--dry-run"]
    assert run_benchmark(words, Given(checkout, checkout)) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("./pipeline.sh ")]
    assert len(lines) == 2 and f"--exp {tmp_path}/exp/one --nnet-config conf/nnet/mini.yaml" in lines[0]
    assert not (tmp_path / "exp").exists() and BENCHMARK_NAME not in os.environ
