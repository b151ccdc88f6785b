"""./pipeline.sh --benchmark from end to end on the tiny corpus: killed in the middle, with a row that fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from scoring.ledger import read_records
from tests.helpers.own_processes import carrying, new_mark, wait_until

from .conftest import Recipe, environment

pytestmark = pytest.mark.slow

# The second row fails when training begins: no speaker has so many utterances.
TABLE = """rows:
- {name: i-vector, title: i-vector, ivector: conf/ivector/ivector.yaml, published: {eer: 5.329}}
- {name: broken, title: Broken, network: %s}
- {name: x-vector, title: x-vector, network: conf/nnet/xvector.yaml}
"""


@pytest.fixture
def options(checkout: Path, tmp_path: Path) -> list[str]:
    """The command line of a benchmark of three rows."""
    broken = (checkout / "conf/nnet/mini.yaml").read_text()
    broken = broken.replace("batch_size: 32,", "batch_size: 1000, utterances_per_speaker: 500,")
    broken = broken.replace("balance: speakers", "balance: groups")
    (tmp_path / "broken.yaml").write_text(broken)
    (tmp_path / "table.yaml").write_text(TABLE % (tmp_path / "broken.yaml"))
    places = ["--data", f"{tmp_path}/data", "--exp", f"{tmp_path}/exp"]
    return ["--benchmark", "--benchmark-table", f"{tmp_path}/table.yaml", "--mini-size", "tiny", *places]


def test_a_killed_benchmark_goes_on_and_a_failing_row_stops_no_other(
    recipe: Recipe, checkout: Path, options: list[str], tmp_path: Path
) -> None:
    mark = new_mark()
    with (tmp_path / "first.log").open("w") as log:
        run = subprocess.Popen(
            ["./pipeline.sh", *options], cwd=checkout, env=environment(mark), stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    first = tmp_path / "exp" / "log" / "i-vector.log"
    wait_until(lambda: first.exists() and " stage 8/12: " in first.read_text(), "the first row is at stage 8")
    os.kill(run.pid, signal.SIGKILL)
    run.wait(timeout=60)
    wait_until(lambda: not carrying(mark), "no process is left")

    done = recipe(*options, code=1, within=1200)
    assert first.read_text().count("stage 6/12: conf/ivector/ivector.yaml") == 1  # it was complete
    assert "row broken: failed with code 1" in done.stderr and "500 utterances" in done.stderr
    rows = json.loads((tmp_path / "exp/rows.json").read_text())["rows"]
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    table = [line.split() for line in done.stdout.splitlines() if line.startswith(("i-vector", "x-vector"))]
    assert [line[:2] for line in table] == [["i-vector", "PLDA"], ["x-vector", "PLDA"]] and "5.33" in table[0]
    records = read_records(tmp_path / "results.jsonl")
    assert {(record.row, record.benchmark) for record in records} == {("i-vector", "exp"), ("x-vector", "exp")}
    assert len(records) == 2 * 2 * 4  # rows, plain and normalised, four scores
    assert (tmp_path / "exp/report/index.html").stat().st_size > 100_000

    again = recipe(*options, "--rows", "i-vector,x-vector")
    assert "/12: " not in again.stderr  # no stage ran
    assert len(read_records(tmp_path / "results.jsonl")) == len(records)
