"""Running commands in this process, and making and reading the tables they work on."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from minikaldi.io import FLOAT_MATRIX, Holder, sequential, writer
from minikaldi.running import run_command


def run(*argv: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Exit code and standard output of a command run in this process."""
    stdout = io.BytesIO()
    return run_command(list(argv), io.BytesIO(stdin), stdout), stdout.getvalue()


def table(rspecifier: str, holder: Holder[Any] = FLOAT_MATRIX) -> dict[str, Any]:
    """A table as a dictionary."""
    with sequential(rspecifier, holder) as entries:
        return dict(entries)


def make_table(wspecifier: str, entries: dict[str, Any], holder: Holder[Any] = FLOAT_MATRIX) -> None:
    """Write a dictionary as a table."""
    with writer(wspecifier, holder) as out:
        for key, value in entries.items():
            out.write(key, value)


def random_feats(num_frames: int, dim: int, seed: int = 0) -> np.ndarray:
    """float32 (T, F), normal, around 3."""
    return (3 + np.random.default_rng(seed).standard_normal((num_frames, dim))).astype(np.float32)
