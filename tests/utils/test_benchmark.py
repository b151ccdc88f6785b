"""The benchmark of the data-directory tools runs; what it measures is no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def run_benchmark(root: Path, folder: Path, *options: str) -> tuple[str, list[dict[str, object]]]:
    """Its table, and the results that it wrote."""
    command = [sys.executable, str(root / "benchmarks/data_dirs.py"), "--json", "r.json", "--temp", ".", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["r.json"]
    return done.stdout, json.loads((folder / "r.json").read_text())["results"]


def test_the_benchmark_measures_each_size(root: Path, tmp_path: Path) -> None:
    shown, results = run_benchmark(root, tmp_path, "--sizes", "20,200", "--only", "filter_scp")
    assert [(result["utts"], result["name"]) for result in results] == [
        (size, name) for size in (20, 200) for name in ("filter_scp", "filter_scp --exclude", "filter_scps")
    ]
    assert all(result["cpu_seconds"] > 0 and result["peak_mb"] > 1 and result["goal_met"] for result in results)
    assert "CPU seconds at 20 200 utterances" in shown


@pytest.mark.slow
def test_the_benchmark_runs_every_tool(root: Path, tmp_path: Path) -> None:
    _, results = run_benchmark(root, tmp_path, "--sizes", "500")
    assert len(results) > 30
    assert len({result["name"] for result in results}) == len(results)
