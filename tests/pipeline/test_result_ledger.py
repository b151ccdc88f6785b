"""A run writes its results, its code and its costs into the ledger beside its experiment, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe.peak_memory import NEEDED
from scoring.ledger import read_records
from scoring.ledger_record import content_hash

from .conftest import Place, Recipe

pytestmark = pytest.mark.slow

SYSTEMS = ("network", "MFCC statistics", "MFCC statistics, CMVN")
BACK_ENDS = ("PLDA", "LDA, cosine", "cosine", "cosine, AS-norm")


def test_a_run_has_a_line_for_each_system_and_back_end(finished: Place) -> None:
    records = read_records(finished.exp.parent / "results.jsonl")
    assert [(record.system, record.back_end) for record in records] == [(s, b) for s in SYSTEMS for b in BACK_ENDS]
    own = records[0]
    assert (own.row, own.exp, own.test_set, own.benchmark) == ("small", str(finished.exp), "test", None)
    assert own.config is not None and own.config["training"]["steps"] == 40
    assert own.config_hash == content_hash(own.config) and own.data_hash == records[4].data_hash is not None
    assert own.options is not None and own.options["bootstrap"] == own.resamples == 20
    assert own.parameters is not None and own.embedding_parameters is not None
    assert own.parameters > own.embedding_parameters > 0
    assert own.command is not None and own.command.startswith("./pipeline.sh --corpus=folder")
    assert (own.commit, own.clean) == (None, None)  # the copy of the checkout has no git
    costs = {cost.stage: cost for cost in own.stages}
    assert list(costs) == ["0", "1", "1-features", *map(str, range(2, 12))]
    training = costs["6"]
    if all(Path("/proc/thread-self", name).exists() for name in NEEDED):
        assert training.peak_mb is not None and 100 < training.peak_mb < 5000  # torch alone has some 200 MB
        assert "peak memory" in (finished.exp / "RESULTS.md").read_text()
    assert not [record for record in records[4:] if record.config or record.parameters or not record.baseline]


def test_the_same_results_again_add_no_line_and_a_benchmark_does(finished: Place, recipe: Recipe) -> None:
    ledger = finished.exp.parent / "results.jsonl"
    before = ledger.read_bytes()
    recipe(*finished.options("--stage", 12, "--force"))
    assert ledger.read_bytes() == before
    elsewhere = finished.exp.parent / "all.jsonl"
    names = {"PIPELINE_BENCHMARK": "b1", "PIPELINE_LEDGER": str(elsewhere)}
    recipe(*finished.options("--stage", 12, "--force"), env=names)
    assert ledger.read_bytes() == before
    assert {record.benchmark for record in read_records(elsewhere)} == {"b1"}


def test_memory_of_jobs_that_another_program_runs_is_not_recorded(finished: Place, recipe: Recipe) -> None:
    """A runner of another name may use other machines."""
    runner = finished.exp.parent / "queue.sh"
    runner.write_text('#!/bin/sh\nexec utils/run.pl "$@"\n')
    runner.chmod(0o755)
    recipe(*finished.options("--stage", 10, "--force"), env={"train_cmd": str(runner)})
    times = (finished.exp / ".stages" / "times.tsv").read_text().splitlines()
    peaks = {line.split("\t")[0]: line.split("\t")[3] for line in times[1:]}
    assert peaks["10"] == peaks["11"] == ""
