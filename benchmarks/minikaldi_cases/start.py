"""What every stage pays again and again: the start of a command, of a pipe, of a row range."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.minikaldi_cases.data import in_child, write_room, write_waves
from benchmarks.minikaldi_cases.measure import ROOT, environment, figures
from benchmarks.minikaldi_cases.place import Place, Row
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, compressed_matrix, read_matrix_rows, read_object, write_object

SCIPY_GOAL, GOAL = 0.35, 0.25


def rows(place: Place) -> Iterator[Row]:
    """The part `start`."""
    folder = place.folder
    if not (folder / "short.scp").exists():
        in_child(write_waves, folder, "short", 1, 0.1, place.seed)
    if not (folder / "rir.wav").exists():
        in_child(write_room, folder, place.seed)
    (folder / "one.txt").write_text("u1  [ 1 2 3 ]\n")
    mfcc = ["compute-mfcc-feats", "--dither=0", f"--config={ROOT}/conf/mfcc.conf", "scp:short.scp", "ark:/dev/null"]
    cases: list[tuple[str, list[str], float, int]] = [
        ("--help (ivector-plda-scoring)", ["ivector-plda-scoring", "--help"], GOAL, 0),
        ("a usage error (copy-feats without arguments)", ["copy-feats"], GOAL, 1),
        ("copy-vector, a table of one vector", ["copy-vector", "ark:one.txt", "ark:/dev/null"], GOAL, 0),
        ("compute-mfcc-feats, one wave of 0.1 s", mfcc, SCIPY_GOAL, 0),
        (
            "wav-reverberate, one wave of 0.1 s, a room of 0.5 s",
            ["wav-reverberate", "--impulse-response=rir.wav", "short/0000.wav", "/dev/null"],
            *(SCIPY_GOAL, 0),
        ),
    ]
    for what, command, goal, code in cases:
        place.measure(command, 1, code=code)  # fills the caches of files
        used = place.measure(command, 3 * place.repeats, code=code, beside_kaldi=True)
        ours, here = figures(lambda usage: usage.wall, used)
        yield Row("start", what, "s", ours, None, goal, False, used.peak_mb, kaldi_here=here)


def table_rows(place: Place) -> Iterator[Row]:
    """The part `tables`: pipes and row ranges inside one process."""
    yield from in_child(_table_rows, place)


def _table_rows(place: Place) -> list[Row]:
    vector, matrix, packed = (str(place.folder / name) for name in ("x.vec", "x.mat", "x.cm"))
    feats = np.random.default_rng(place.seed).standard_normal((2000, 30)).astype(np.float32)
    write_object(vector, FLOAT_VECTOR, np.zeros(512))
    write_object(matrix, FLOAT_MATRIX, feats)
    write_object(packed, compressed_matrix(2), feats)
    inner = f"copy-vector --print-args=false {vector} - |"
    cases: list[tuple[str, Callable[[], object], int]] = [
        ("a file name `cat <file> |`", lambda: read_object(f"cat {vector} |", FLOAT_VECTOR), 200),
        ("an inner pipe `copy-vector … |`", lambda: read_object(inner, FLOAT_VECTOR), 200),
        ("a shell pipe `cat <file>; true |`", lambda: read_object(f"cat {vector}; true |", FLOAT_VECTOR), 50),
        ("300 of 2,000 rows of 30, plain", lambda: read_matrix_rows(matrix, 100, 400), 500),
        ("all 2,000 rows, plain", lambda: read_matrix_rows(matrix, 0, 2000), 200),
        ("300 of 2,000 rows of 30, compressed (CM)", lambda: read_matrix_rows(packed, 100, 400), 500),
        ("all 2,000 rows, compressed (CM)", lambda: read_matrix_rows(packed, 0, 2000), 200),
    ]
    path, stderr = os.environ.get("PATH", ""), sys.stderr
    os.environ["PATH"] = environment()["PATH"]
    with Path(os.devnull).open("w") as sys.stderr:  # the commands' LOG lines
        try:
            found = [(what, _median_ms(action, repeats)) for what, action, repeats in cases]
        finally:
            sys.stderr, os.environ["PATH"] = stderr, path
    return [Row("tables", what, "ms", milliseconds) for what, milliseconds in found]


def _median_ms(action: Callable[[], object], repeats: int) -> float:
    """Median time of one call in milliseconds, after a first one that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
