"""Embeddings for scoring: one matrix and its row numbers, read strictly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from minikaldi.io import FLOAT_VECTOR, is_rspecifier, sequential

Float64Array = NDArray[np.float64]


class EmbeddingTable:
    """Embeddings by utterance.

    Args:
        utt_ids: M utterance ids.
        vectors: float64 (M, D).

    Attributes:
        vectors: as given.
        row: utterance id -> its row.
    """

    def __init__(self, utt_ids: Sequence[str], vectors: Float64Array) -> None:
        self.vectors = vectors
        self.row = {utt_id: index for index, utt_id in enumerate(utt_ids)}

    def rows(self, utt_ids: Sequence[str], chosen: NDArray[np.integer], name: str) -> NDArray[np.intp]:
        """Row numbers of chosen utterances.

        Args:
            utt_ids: different utterance ids.
            chosen: int (N,), places in `utt_ids`.
            name: name of the side in messages, as "enrolment".

        Returns:
            int (N,).

        Raises:
            InputError: embeddings are missing; the text has `name`, their count and the first.
        """
        rows = np.array([self.row.get(utt_id, -1) for utt_id in utt_ids], dtype=np.intp)[chosen]
        missing = chosen[rows < 0]
        if len(missing):
            raise InputError(
                f"{name}: {len(np.unique(missing))} ids of the trial list have no embedding "
                f"(first: {utt_ids[int(missing[0])]}); "
                "see the log of the extraction, and that the trial list belongs to these embeddings"
            )
        return rows


def read_embeddings(source: str) -> EmbeddingTable:
    """Read all embeddings of an rspecifier (`ark:…`, `scp:…`, pipes included) or of an scp file.

    Raises:
        InputError: no embeddings, one with NaN or infinity, an id that appears twice, or different dimensions; the text
            names the utterance.
    """
    rspecifier = source if is_rspecifier(source) else f"scp:{source}"
    vectors: dict[str, NDArray[np.float32]] = {}
    dim = 0
    with sequential(rspecifier, FLOAT_VECTOR) as embeddings:
        for utt_id, vector in embeddings:
            dim = dim or len(vector)
            if utt_id in vectors:
                raise InputError(f"{source}: {utt_id}: embedding comes twice")
            if len(vector) != dim:
                raise InputError(f"{source}: {utt_id}: embedding has {len(vector)} dimensions, those before {dim}")
            if not np.isfinite(vector).all():
                raise InputError(f"{source}: {utt_id}: embedding holds NaN or infinity; extract it again")
            vectors[utt_id] = vector
    if not vectors:
        raise InputError(f"{source}: no embeddings")
    return EmbeddingTable(list(vectors), np.array(list(vectors.values()), dtype=np.float64))
