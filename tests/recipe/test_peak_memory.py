"""The memory of a stage: what the guard counts, and when nothing is known."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipe import peak_memory
from recipe.peak_memory import PAUSE_SECONDS, PeakMemory, peak_mb, process_tree, proportional_bytes
from tests.helpers.own_processes import wait_until

MB = 1_000_000
# Holds memory, and children that share it; says so, and waits for the end of its stdin.
HOLDER = """
import os, sys
held = bytearray(os.urandom(1 << 20)) * (int(sys.argv[1]) // (1 << 20))
pids = []
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""

needs_smaps = pytest.mark.skipif(not Path("/proc/thread-self/smaps_rollup").exists(), reason="no smaps_rollup here")


@contextlib.contextmanager
def holder(size: int, children: int = 0) -> Iterator[int]:
    """The pid of a process that holds so many bytes, with children that share them."""
    command = [sys.executable, "-S", "-c", HOLDER, str(size), str(children)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield process.pid


def total(pid: int) -> int:
    return sum(map(proportional_bytes, process_tree(pid)))


@needs_smaps
def test_the_tree_has_a_process_and_all_below_it(tmp_path: Path) -> None:
    script = "sleep 60 & (sleep 60 & echo $BASHPID; wait) & wait"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        inner = int(process.stdout.readline())
        wait_until(lambda: len(list(process_tree(process.pid))) == 4, "both sleep")
        tree = list(process_tree(process.pid))
        assert tree[0] == process.pid and inner in tree and len(set(tree)) == 4
        assert os.getpid() not in tree
        for pid in reversed(tree):
            os.kill(pid, 9)


@needs_smaps
def test_memory_that_processes_share_counts_once() -> None:
    """A Python without packages has some 10 MB of its own; each fork adds a few pages of its own."""
    with holder(200 * MB) as alone, holder(200 * MB, children=3) as shared:
        assert 195 * MB < total(alone) < 230 * MB
        assert 195 * MB < total(shared) < 250 * MB  # by the sum of resident sizes it would be 800


@needs_smaps
def test_the_peak_stays_until_it_is_reset() -> None:
    memory = PeakMemory()
    with holder(100 * MB) as pid:
        memory.sample(pid)
    first = peak_mb(memory.path, "utils/run.pl")
    assert first is not None and 95 < first < 130
    with holder(10 * MB) as pid:
        memory.sample(pid)
        assert peak_mb(memory.path, "utils/run.pl") == first
        Path(memory.path).write_bytes(b"")  # as pipeline.sh does when a stage begins
        assert peak_mb(memory.path, "") is None
        memory.sample(pid)
    second = peak_mb(memory.path, "")
    assert second is not None and 10 < second < 40


@needs_smaps
def test_a_process_that_has_ended_has_no_memory_and_no_children() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        assert total(process.pid) == 0


@pytest.mark.parametrize(
    ("commands", "known"),
    [
        ("", True),
        ("utils/run.pl\n/somewhere/run.pl --max-jobs 3\n", True),
        ("utils/run.pl\nslurm.pl --gpu 1\n", False),
        ("/kaldi/queue.pl", False),
    ],
)
def test_memory_of_jobs_on_other_machines_is_not_known(tmp_path: Path, commands: str, known: bool) -> None:
    (tmp_path / "peak").write_text("1234567890\n")
    assert peak_mb(str(tmp_path / "peak"), commands) == (1234.6 if known else None)


@pytest.mark.parametrize("content", ["", "x\n"])
def test_without_a_measurement_nothing_is_known(tmp_path: Path, content: str) -> None:
    (tmp_path / "peak").write_text(content)
    assert peak_mb(str(tmp_path / "peak"), "") is None
    assert peak_mb(str(tmp_path / "none"), "") is None
    assert peak_mb("", "") is None


def test_a_system_without_these_files_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "NEEDED", ("smaps_rollup", "no_such_file"))
    memory = PeakMemory()
    memory.sample(os.getpid())
    assert (memory.path, memory.pause_seconds) == ("", PAUSE_SECONDS)


@needs_smaps
def test_slow_samples_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of 0.1 s may take 2 % of the time: one in 5 s."""
    ticks = iter([10.0, 10.1])
    monkeypatch.setattr(peak_memory.time, "monotonic", lambda: next(ticks))
    memory = PeakMemory()
    memory.sample(os.getpid())
    assert memory.pause_seconds == pytest.approx(5.0)


SCRIPT = """set -euo pipefail
cd "$1"
. utils/stage_functions.sh
plan='a plan' dry_run=false exp=$2/exp last_stage=12 next_stage=4
stage_folder=$2/exp stage_marker=$2/exp/.stages/4.json announcement='stage 4'
ask() { cat "$PIPELINE_MEMORY" > "$2.peak"; printf '%s' "$6" > "$2.commands"; next_stage=5; }
cd "$2"
for number in 4 5; do
  stage $number
  run bash -c "$3" step --cmd "utils/run.pl --x 1" --cmd "slurm.pl -p gpu" end
done
complete_stage
"""


@needs_smaps
def test_the_guard_measures_each_stage_by_itself(root: Path, tmp_path: Path) -> None:
    """Stage 4 holds 150 MB for a while, stage 5 nothing: both peaks are found when they end."""
    (tmp_path / "script.sh").write_text(SCRIPT)
    hold = "import sys, time; held = bytearray(150_000_000); time.sleep(1.5)"
    step = f'if [ ! -e 4.peak ]; then "{sys.executable}" -S -c "{hold}"; else sleep 1.5; fi'
    command = [sys.executable, root / "utils/guard.py", tmp_path / "script.sh", root, tmp_path, step]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    peaks = [int((tmp_path / f"{number}.peak").read_text()) for number in (4, 5)]
    assert peaks[0] > 150 * MB > 50 * MB > peaks[1] > 0
    assert (tmp_path / "5.commands").read_text() == "utils/run.pl --x 1\nslurm.pl -p gpu\n"
