"""The vectors of a table in blocks, for commands that compute with all of them: a call of numpy takes as long as a
hundred multiplications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.command import CommandRun
from minikaldi.io import FLOAT_VECTOR, TableWriter
from minikaldi.ivector.vectors import apply_transform, require_finite

VECTORS_PER_BLOCK = 1024


@dataclass(frozen=True)
class VectorBlock:
    """Consecutive entries of a table.

    Attributes:
        keys: their N keys.
        vectors: float32 (N, D), N >= 1.
    """

    keys: list[str]
    vectors: NDArray[np.float32]


def vector_blocks(run: CommandRun, rspecifier: str, any_dim: bool = False) -> Iterator[VectorBlock]:
    """All vectors of a table, in their order.

    Args:
        run: the command's surroundings.
        rspecifier: the table.
        any_dim: whether vectors may differ in dimension (those of one block never do).

    Raises:
        KaldiError: a vector holds NaN or infinity, or dimensions differ; the text names table and key.
    """
    keys: list[str] = []
    vectors: list[NDArray[np.float32]] = []
    with run.sequential(rspecifier, FLOAT_VECTOR) as entries:
        for key, vector in entries:
            if vectors and (len(vectors) == VECTORS_PER_BLOCK or vector.size != vectors[0].size):
                if vector.size != vectors[0].size and not any_dim:
                    raise KaldiError(
                        f"{rspecifier}: {key}: vector has {vector.size} dimensions, those before {vectors[0].size}"
                    )
                yield _block(rspecifier, keys, vectors)
                keys, vectors = [], []
            keys.append(key)
            vectors.append(vector)
    if vectors:
        yield _block(rspecifier, keys, vectors)


def transformed_blocks(
    run: CommandRun, transform: NDArray[np.floating], rspecifier: str
) -> Iterator[tuple[list[str], NDArray[np.float64]]]:
    """All vectors of a table under a linear or affine transform, in blocks of N keys and (N, D').

    Raises:
        KaldiError: as `vector_blocks`, or a vector does not have the dimension of the transform's input.
    """
    for block in vector_blocks(run, rspecifier, any_dim=True):
        try:
            yield block.keys, apply_transform(transform, block.vectors)
        except KaldiError as error:
            raise KaldiError(f"{rspecifier}: {block.keys[0]}: {error}") from error


def write_block(table: TableWriter[NDArray[np.float32]], keys: list[str], vectors: NDArray[np.floating]) -> None:
    """Write the rows of `vectors` (N, D), rounded to float32, under N keys."""
    for key, vector in zip(keys, np.asarray(vectors, dtype=np.float32), strict=True):
        table.write(key, vector)


def _block(rspecifier: str, keys: list[str], vectors: list[NDArray[np.float32]]) -> VectorBlock:
    block = VectorBlock(keys, np.array(vectors))
    if not np.isfinite(block.vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(block.vectors).all(axis=1))[0])
        require_finite(f"{rspecifier}: {keys[bad]}", block.vectors[bad])
    return block
