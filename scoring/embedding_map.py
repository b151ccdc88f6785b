"""Embeddings of a test set on a plane, by t-SNE.

Source: L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008; scikit-learn's implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.embeddings import Float64Array, read_embeddings

MOST_SPEAKERS = 40
PERPLEXITY = 30.0
LEAST_EMBEDDINGS = 5


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings on a plane.

    Attributes:
        points: float64 (M, 2).
        speakers: M speaker ids.
    """

    points: Float64Array
    speakers: list[str]


def chosen_utterances(speaker_of: Mapping[str, str], utt_ids: Sequence[str], most: int, seed: int) -> list[str]:
    """At most `most` utterances of at most MOST_SPEAKERS speakers, about as many of each, drawn with a random seed.

    Args:
        speaker_of: speaker of each utterance; utterances without one are left out.
        utt_ids: the utterances.
        most: utterances in all.
        seed: random seed of the draw.
    """
    of_speaker: dict[str, list[str]] = {}
    for utt_id in sorted(utt_ids):
        if utt_id in speaker_of:
            of_speaker.setdefault(speaker_of[utt_id], []).append(utt_id)
    rng = np.random.default_rng(seed)
    speakers = sorted(of_speaker)
    if len(speakers) > MOST_SPEAKERS:
        speakers = sorted(rng.choice(speakers, MOST_SPEAKERS, replace=False).tolist())
    shuffled = [rng.permutation(of_speaker[speaker]).tolist() for speaker in speakers]
    turns = max(map(len, shuffled), default=0)
    in_turn = [utts[turn] for turn in range(turns) for utts in shuffled if turn < len(utts)]
    return sorted(in_turn[:most])


def unit_vectors(vectors: Float64Array) -> Float64Array:
    """Vectors (M, D) without their mean, of length 1."""
    centred = vectors - vectors.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def embedding_map(scp: str, speaker_of: Mapping[str, str], most: int, seed: int) -> EmbeddingMap | None:
    """Read embeddings and place them on a plane; None if there are too few.

    Args:
        scp: the embeddings.
        speaker_of: speaker of each utterance.
        most: embeddings to place.
        seed: random seed of the choice and of t-SNE.

    Returns:
        The places. Distances between the unit vectors are Euclidean, so they order pairs as the cosine does.
    """
    table = read_embeddings(scp)
    utt_ids = chosen_utterances(speaker_of, list(table.row), most, seed)
    if len(utt_ids) < LEAST_EMBEDDINGS:
        return None
    from sklearn.manifold import TSNE

    vectors = unit_vectors(table.vectors[[table.row[utt_id] for utt_id in utt_ids]])
    perplexity = min(PERPLEXITY, (len(utt_ids) - 1) / 3)
    model = TSNE(n_components=2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    points: NDArray[np.float64] = model.fit_transform(vectors).astype(np.float64)  # (M, D) -> (M, 2)
    return EmbeddingMap(points, [speaker_of[utt_id] for utt_id in utt_ids])
