"""Times what every stage pays again and again: a command's start, a pipe's start, one object of a table.

    python3 benchmarks/minikaldi_startup.py

Goals on two cores: a start at most 0.25 s, an inner pipe at most 1 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PATH"] = f"{ROOT / 'minikaldi' / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_matrix_rows, read_object, write_object  # noqa: E402


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Median time of one call in milliseconds, after a first one that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def run(*argv: str) -> Callable[[], object]:
    """A process without output."""
    return lambda: subprocess.run(argv, capture_output=True, check=True)


def main() -> None:
    """Print one line per case."""
    with tempfile.TemporaryDirectory() as folder:
        vector, matrix = f"{folder}/x.vec", f"{folder}/x.mat"
        write_object(vector, FLOAT_VECTOR, np.zeros(512))
        write_object(matrix, FLOAT_MATRIX, np.zeros((2000, 30)))
        inner = f"copy-vector --print-args=false {vector} - |"
        cases: dict[str, tuple[Callable[[], object], int]] = {
            "start: ivector-plda-scoring --help": (run("ivector-plda-scoring", "--help"), 7),
            "start: copy-vector, one vector": (run("copy-vector", vector, "/dev/null"), 7),
            "inner pipe: cat <file> |": (lambda: read_object(f"cat {vector} |", FLOAT_VECTOR), 200),
            "inner pipe: copy-vector |": (lambda: read_object(inner, FLOAT_VECTOR), 200),
            "shell pipe: cat <file>; true |": (lambda: read_object(f"cat {vector}; true |", FLOAT_VECTOR), 30),
            "300 of 2000 rows of a matrix": (lambda: read_matrix_rows(matrix, 100, 400), 500),
        }
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (the commands' LOG lines)
        for name, (action, repeats) in cases.items():
            print(f"{name:40} {median_ms(action, repeats):9.3f} ms")


if __name__ == "__main__":
    main()
