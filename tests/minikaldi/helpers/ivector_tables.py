"""What the tests of the embedding commands share: running a command in this process, writing and reading tables."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minikaldi.io import DOUBLE_VECTOR, FLOAT_VECTOR, sequential, writer
from minikaldi.running import run_command


def run(*argv: object, stdin: bytes = b"") -> tuple[int, bytes]:
    """Exit code and standard output of a command."""
    stdout = io.BytesIO()
    code = run_command([str(word) for word in argv], io.BytesIO(stdin), stdout)
    return code, stdout.getvalue()


def write_vectors(path: Path, vectors: Mapping[str, npt.ArrayLike]) -> str:
    """Rspecifier of an archive of float vectors."""
    with writer(f"ark:{path}", FLOAT_VECTOR) as table:
        for key, vector in vectors.items():
            table.write(key, np.array(vector, dtype=np.float32))
    return f"ark:{path}"


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """All vectors of an archive, float64."""
    with sequential(f"ark:{path}", DOUBLE_VECTOR) as table:
        return dict(table)
