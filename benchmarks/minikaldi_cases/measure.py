"""One command as a process, one thread: its seconds and the most memory it held."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Usage:
    """Seconds by the clock, seconds of processor (user and system), and peak memory in MB of 10^6 bytes.

    A pipe of processes counts as one: their processor seconds together, the memory of the largest.
    """

    wall: float
    cpu: float
    peak_mb: float

    def after(self, start: Usage) -> float:
        """Processor seconds beyond those of a start; never nothing, as it divides."""
        return max(self.cpu - start.cpu, 1e-4)


def environment(first_on_path: Path | None = None) -> dict[str, str]:
    """Variables under which Kaldi's names answer from minikaldi/bin, or from a folder of wrappers before it."""
    env = {key: value for key, value in os.environ.items() if key not in ("KALDI_ROOT", "MINIKALDI_NO_PIPES")}
    folders = [ROOT / "minikaldi" / "bin", ROOT / "utils", Path(sys.executable).parent]
    if first_on_path is not None:
        folders.insert(0, first_on_path)
    env["PATH"] = ":".join([*map(str, folders), env.get("PATH", os.defpath)])
    return {**env, **ONE_THREAD, "LC_ALL": "C", "PYTHONPATH": str(ROOT)}


def run_once(command: Sequence[str] | str, folder: Path, env: Mapping[str, str], code: int = 0) -> Usage:
    """Run to the end, in `folder`; a string is for bash, with pipefail.

    Raises:
        RuntimeError: another exit code than `code`; with the last lines of stderr.
    """
    argv = ["bash", "-o", "pipefail", "-c", command] if isinstance(command, str) else list(command)
    log = folder / "stderr"
    with log.open("wb") as stderr:
        before = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise RuntimeError(f"{command}: exit code {process.returncode}, expected {code}\n{last}")
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(wall, used.ru_utime + used.ru_stime, peak / 1e6)


def median(usages: Sequence[Usage]) -> Usage:
    """Each figure's own median."""
    return Usage(
        statistics.median(usage.wall for usage in usages),
        statistics.median(usage.cpu for usage in usages),
        statistics.median(usage.peak_mb for usage in usages),
    )
