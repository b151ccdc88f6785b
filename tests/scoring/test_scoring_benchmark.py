"""The benchmark of scoring measures what it says, at a size that a test can wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_benchmark_prints_a_row_for_each_task_and_size(root: Path) -> None:
    command = [sys.executable, "benchmarks/scoring.py", "--sizes", "2000,4000", "--speakers", "20", "--resamples", "5"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith(("| 2,000", "| 4,000"))]
    assert [row[0] for row in rows] == ["| 2,000"] * 3 + ["| 4,000"] * 3
    assert [row[1] for row in rows[:3]] == [
        "trials and scores read, EER, minDCF",
        "the same, scores in another order",
        "intervals of EER and 3 minDCF, 5 resamples",
    ]
    assert all(float(row[3]) >= 0 and 10 < float(row[5].rstrip(" |")) < 1000 for row in rows)
