"""The dimensions of the back end, for steps/train_backend.sh: prints `<dim> <pca-dim> <lda-dim> <reason in words>`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.program import Parser, positive_int, run_program
from minikaldi.io import FLOAT_VECTOR, TOKEN, random_access, sequential
from minikaldi.ivector.backend_dims import BackendDims, choose_dims
from minikaldi.ivector.lda import SpeakerScatter
from minikaldi.ivector.vectors import require_finite
from minikaldi.running import run_pipes_inside

USAGE = "python3 -m scoring.backend_dims --lda-dim <n> <vectors-rspecifier> <utt2spk-rspecifier>"
ABOUT = "How many dimensions of the training vectors PCA and LDA should keep, so that LDA and PLDA are well determined."
VECTORS_PER_BLOCK = 1024


def training_scatter(vectors: str, utt2spk: str) -> SpeakerScatter:
    """The scatter of the vectors that have a speaker.

    Args:
        vectors: rspecifier of the vectors.
        utt2spk: rspecifier of the speakers.

    Raises:
        InputError: no vector has a speaker, or a vector is empty, has another dimension than the first, or has NaN.
    """
    scatter: SpeakerScatter | None = None
    numbers: dict[str, int] = {}
    rows: list[NDArray[np.float32]] = []
    speakers: list[int] = []

    def add_rows() -> None:
        if scatter is not None and rows:
            scatter.add(np.array(rows), np.array(speakers))
            rows.clear()
            speakers.clear()

    with sequential(vectors, FLOAT_VECTOR) as table, random_access(utt2spk, TOKEN) as speaker_of:
        for utt_id, vector in table:
            if utt_id not in speaker_of:
                continue
            require_finite(f"{vectors}: {utt_id}", vector)
            scatter = scatter or SpeakerScatter(vector.size)
            if vector.size != scatter.dim or not vector.size:
                raise InputError(f"{vectors}: {utt_id}: vector has {vector.size} dimensions, the first {scatter.dim}")
            rows.append(vector)
            speakers.append(numbers.setdefault(speaker_of[utt_id], len(numbers)))
            if len(rows) == VECTORS_PER_BLOCK:
                add_rows()
    add_rows()
    if scatter is None:
        raise InputError(f"{vectors}: no vector has a speaker in {utt2spk}; were they extracted from this data?")
    return scatter


def explanation(scatter: SpeakerScatter, dims: BackendDims, lda_dim: int) -> str:
    """What was chosen and why, in one line.

    Args:
        scatter: of the training vectors.
        dims: what was chosen.
        lda_dim: the most dimensions of LDA, as given.
    """
    num_speakers = scatter.num_speakers
    words = f"LDA: {dims.vectors} -> {dims.lda} dimensions ({num_speakers} training speakers"
    if dims.pca < dims.vectors:
        words = (
            f"PCA: {dims.vectors} -> {dims.pca} dimensions first ({dims.why}), then LDA: {dims.pca} -> {dims.lda} "
            f"dimensions ({num_speakers} training speakers"
        )
    return f"{words}; --lda-dim allows at most {lda_dim})"


def main(argv: Sequence[str]) -> int:
    """Command line."""
    run_pipes_inside()
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--lda-dim", type=positive_int, required=True, help="dimensions of LDA, at most")
    parser.add_argument("vectors", metavar="vectors-rspecifier")
    parser.add_argument("utt2spk", metavar="utt2spk-rspecifier")
    options = parser.parse(argv)
    scatter = training_scatter(options.vectors, options.utt2spk)
    dims = choose_dims(scatter, options.lda_dim)
    print(dims.vectors, dims.pca, dims.lda, explanation(scatter, dims, options.lda_dim))
    return 0


if __name__ == "__main__":
    run_program(main)
