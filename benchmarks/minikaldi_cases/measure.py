"""One command as a process with one thread: its seconds and its peak memory, and real Kaldi's in the same run."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minikaldi.commands import MODULES

ROOT = Path(__file__).resolve().parents[2]

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Usage:
    """Time and memory of a command. A pipe of processes counts as one.

    Attributes:
        wall: elapsed seconds.
        cpu: CPU seconds (user and system), of all processes together.
        peak_mb: peak memory of the largest process in MB of 10^6 bytes.
        kaldi: the same of real Kaldi, measured in turns with it; None if it was not.
    """

    wall: float
    cpu: float
    peak_mb: float
    kaldi: Usage | None = None

    def after(self, start: Usage) -> float:
        """CPU seconds beyond those of a start; never 0, as it is a divisor."""
        return max(self.cpu - start.cpu, 1e-4)


def figures(of: Callable[..., float], *usages: Usage) -> tuple[float, float | None]:
    """A figure of some measurements, and of those of real Kaldi; None if one has none."""
    kaldi = [usage.kaldi for usage in usages]
    return of(*usages), None if None in kaldi else of(*kaldi)


def kaldi_folders(kaldi: Path) -> list[Path]:
    """Where path.sh looks for real Kaldi's commands, in its order."""
    return [*sorted((kaldi / "src").glob("*bin")), kaldi / "bin", kaldi]


def has_all(kaldi: Path, command: Sequence[str] | str) -> bool:
    """Whether real Kaldi has every command that a command line names, those in its pipes too."""
    line = command if isinstance(command, str) else " ".join(command)
    names = set(re.findall(r"[\w.-]+", line)) & MODULES.keys()
    folders = kaldi_folders(kaldi)
    return bool(names) and all(any(os.access(folder / name, os.X_OK) for folder in folders) for name in names)


def environment(first_on_path: Path | None = None, kaldi: Path | None = None) -> dict[str, str]:
    """Variables under which Kaldi's names answer from minikaldi/bin, or from folders before it.

    Args:
        first_on_path: a folder of wrappers.
        kaldi: real Kaldi's root.
    """
    env = {key: value for key, value in os.environ.items() if key not in ("KALDI_ROOT", "MINIKALDI_NO_PIPES")}
    folders = [ROOT / "minikaldi" / "bin", ROOT / "utils", Path(sys.executable).parent]
    if kaldi is not None:
        folders[:0] = kaldi_folders(kaldi)
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
    """Each figure's own median, and the same of Kaldi's."""
    kaldi = [usage.kaldi for usage in usages if usage.kaldi is not None]
    return Usage(
        statistics.median(usage.wall for usage in usages),
        statistics.median(usage.cpu for usage in usages),
        statistics.median(usage.peak_mb for usage in usages),
        median(kaldi) if kaldi else None,
    )
