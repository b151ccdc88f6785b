"""benchmarks/ivector.py: that it runs and what it writes; never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ivector_cases.mixtures_data import best_cpu_seconds


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "KALDI_ROOT"}
    command = [sys.executable, "benchmarks/ivector.py", *options]
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_mixtures_are_measured_beside_their_products(root: Path, tmp_path: Path) -> None:
    done = run(root, "--only", "mixtures", "--scale", "tiny", "--repeats", "1", "--json", str(tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    assert "machine with AVX2" in done.stdout
    rows = json.loads((tmp_path / "figures").read_text())["rows"]
    for command in ("gmm-gselect", "fgmm-global-gselect-to-post", "fgmm-global-acc-stats"):
        rate, times, share = [row for row in rows if row["what"].startswith(f"{command}, 8 x 3")]
        assert (rate["unit"], times["unit"], share["unit"]) == ("frames/s", "times", "share")
        assert rate["ours"] > 0 and times["ours"] > 0 and share["ours"] > 0
        assert rate["kaldi"] is None and rate["goal"] is None  # known of other sizes only


def test_an_unknown_part_is_refused(root: Path) -> None:
    done = run(root, "--only", "mixtures,x")
    assert done.returncode != 0 and "--only names x; choose among mixtures" in done.stderr


def test_a_short_call_is_repeated_until_it_can_be_timed() -> None:
    calls: list[int] = []
    seconds = best_cpu_seconds(lambda: calls.append(1), least=0.001)
    assert len(calls) > 10 and 0 < seconds < 1e-3
