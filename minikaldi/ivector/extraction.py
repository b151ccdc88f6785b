"""Vectors of utterances or speakers, and how much each improves the auxiliary function over the prior's mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minikaldi.gmm.triangles import Float64Array
from minikaldi.ivector.extractor_posterior import BatchEquations, equations_of, vectors_of
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.extractor_weights import point_auxf, posterior_with_weights
from minikaldi.ivector.utterance_stats import BatchStats


@dataclass(frozen=True)
class ExtractedVectors:
    """The vectors of a batch.

    Attributes:
        vectors: float64 (B, I), about the prior's mean.
        auxf_changes: float64 (B,), change of the auxiliary function from the prior's mean; zeros if not wanted.
    """

    vectors: Float64Array
    auxf_changes: Float64Array


def extract_vectors(terms: ExtractorTerms, stats: BatchStats, keys: Sequence[str], with_auxf: bool) -> ExtractedVectors:
    """The vectors of a batch.

    Args:
        terms: of the extractor.
        stats: of the utterances or speakers.
        keys: (B,), their names, for messages.
        with_auxf: whether to compute the changes of the auxiliary function.

    Raises:
        KaldiError: an equation overflows or cannot be solved; the text names the utterance or speaker.

    Source: IvectorExtractTask in ivectorbin/ivector-extract.cc.
    """
    equations = equations_of(terms, stats, keys)
    if not terms.has_weight_projections:
        vectors = vectors_of(equations)
        # At the solution the quadratic term is half of the linear one.
        return ExtractedVectors(vectors, 0.5 * np.vecdot(vectors, equations.linear))
    vectors = posterior_with_weights(terms, stats, equations).means
    changes = _changes(terms, stats, equations, vectors) if with_auxf else np.zeros(len(vectors))
    return ExtractedVectors(vectors, changes)


def _changes(
    terms: ExtractorTerms, stats: BatchStats, equations: BatchEquations, vectors: Float64Array
) -> Float64Array:
    at_prior = point_auxf(terms, stats, equations, np.zeros_like(vectors))
    return np.asarray(point_auxf(terms, stats, equations, vectors) - at_prior)
