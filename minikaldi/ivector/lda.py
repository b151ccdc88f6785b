"""Linear discriminant analysis of embeddings, with the scatter gathered in one pass over the vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.vectors import NULL_SHARE, SAME_SHARE, Float64Array, orient_rows

COVARIANCE_FLOOR = 1e-6
"""Kaldi's: eigenvalues below this share of the largest are raised to it."""


class SpeakerScatter:
    """Sums from which the total, within-speaker and between-speaker covariances follow.

    Vectors are added in blocks and not kept, so memory is (S + D) x D whatever the number of utterances.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._all = Moments(dim)
        self._sums = np.zeros((0, dim))  # of the vectors less the origin of `_all`
        self._counts = np.zeros(0)

    @property
    def num_vectors(self) -> int:
        """Vectors added so far."""
        return self._all.num_vectors

    @property
    def num_speakers(self) -> int:
        """Speakers with at least one vector."""
        return int(np.count_nonzero(self._counts))

    def add(self, vectors: NDArray[np.floating], speakers: NDArray[np.integer]) -> None:
        """Add a block.

        Args:
            vectors: (N, D).
            speakers: (N,) speaker numbers, 0 and up, the same numbering in every block.
        """
        offsets = self._all.add(vectors)
        self._grow(int(speakers.max()) + 1)
        if (speakers[1:] < speakers[:-1]).any():
            order = np.argsort(speakers, kind="stable")
            offsets, speakers = offsets[order], speakers[order]
        seen, starts = np.unique(speakers, return_index=True)
        self._sums[seen] += np.add.reduceat(offsets, starts, axis=0)
        self._counts += np.bincount(speakers, minlength=len(self._counts))  # counts of unused room stay zero

    def _grow(self, num_speakers: int) -> None:
        if num_speakers > len(self._counts):
            extra = max(num_speakers, 2 * len(self._counts)) - len(self._counts)  # doubled: few copies of the sums
            self._sums = np.vstack([self._sums, np.zeros((extra, self.dim))])
            self._counts = np.concatenate([self._counts, np.zeros(extra)])

    def mean(self) -> Float64Array:
        """Mean over vectors, (D,)."""
        return self._all.mean()

    def covariances(self) -> tuple[Float64Array, Float64Array]:
        """Total covariance about the mean and between-speaker covariance, both (D, D), divided by the vector count."""
        seen = self._counts > 0
        means = self._sums[seen] / self._counts[seen][:, None]
        scaled = (means - self._all.mean_offset()) * np.sqrt(self._counts[seen])[:, None]  # (S, D)
        return self._all.covariance(), scaled.T @ scaled / self.num_vectors


@dataclass
class LdaResult:
    """An LDA transform.

    Attributes:
        transform: (dim, D + 1); the last column is the offset that centres.
        eigenvalues: all (D,), falling.
        num_floored: directions of the normalised covariance that were raised to the floor.
    """

    transform: Float64Array
    eigenvalues: Float64Array
    num_floored: int


def compute_lda(
    scatter: SpeakerScatter, dim: int, total_covariance_factor: float = 0.0, covariance_floor: float = COVARIANCE_FLOOR
) -> LdaResult:
    """The `dim` directions with the most between-speaker variance once the within-speaker covariance is unit.

    Args:
        scatter: sums over the training vectors.
        dim: directions to keep, 1 to D.
        total_covariance_factor: 0 makes the within-speaker covariance unit, 1 the total one, else an interpolation.
        covariance_floor: eigenvalues of that covariance below this share of the largest are raised to it.

    Raises:
        KaldiError: `dim` is out of range, there are fewer vectors than dimensions or as many as speakers, or the
            covariance is zero or not finite.

    Source: ivectorbin/ivector-compute-lda.cc, which ends with an assertion in these cases, and writes NaN if the
    covariance is zero. Here a rule fixes the signs of the rows; in Kaldi the eigensolver decides.
    """
    require_enough_vectors(scatter, dim)
    total, between = scatter.covariances()
    within = total - between
    unit = total_covariance_factor * total + (1.0 - total_covariance_factor) * within
    square = float(scatter.mean() @ scatter.mean())
    if np.trace(unit) <= max(NULL_SHARE * float(np.trace(total)), SAME_SHARE * square):  # only rounding is left
        raise KaldiError(
            "the vectors do not vary within speakers: LDA needs speakers with two or more different utterances"
        )
    whitening, num_floored = whitening_transform(unit, covariance_floor)
    eigenvalues, directions = np.linalg.eigh(whitening @ between @ whitening.T)
    order = np.argsort(-eigenvalues, kind="stable")
    linear = orient_rows(directions[:, order[:dim]].T @ whitening)  # (dim, D)
    offset = -linear @ scatter.mean()
    return LdaResult(np.column_stack([linear, offset]), eigenvalues[order], num_floored)


def require_enough_vectors(scatter: SpeakerScatter, dim: int) -> None:
    """Check what Kaldi's assertions check.

    Raises:
        KaldiError: `dim` is out of range, or there are too few vectors.
    """
    if not 0 < dim <= scatter.dim:
        raise KaldiError(f"--dim={dim} is out of range: the vectors have {scatter.dim} dimensions; choose 1 to that")
    found = f"{scatter.num_vectors} vectors of {scatter.num_speakers} speakers"
    if scatter.num_vectors == scatter.num_speakers:
        raise KaldiError(
            f"no speaker has two utterances ({found}): LDA needs speakers with two or more different utterances"
        )
    if scatter.num_vectors < scatter.dim:
        raise KaldiError(
            f"too little data for the dimension of the vectors: {found} have {scatter.dim} dimensions; give more "
            "vectors, or reduce them first: est-pca --read-vectors=true --dim=<n>"
        )


def whitening_transform(covariance: Float64Array, floor: float) -> tuple[Float64Array, int]:
    """Matrix T with T cov Tᵀ = I, and how many eigenvalues were below `floor` times the largest and raised to it.

    Raises:
        KaldiError: `floor` leaves an eigenvalue at zero or below.
    """
    eigenvalues, vectors = np.linalg.eigh(covariance)
    lowest = floor * eigenvalues[-1]
    if max(lowest, eigenvalues[0]) <= 0.0:
        raise KaldiError(f"the covariance is singular, and --covariance-floor={floor:g} raises nothing; choose 1e-6")
    floored = np.maximum(eigenvalues, lowest)
    return (vectors / np.sqrt(floored)).T, int(np.count_nonzero(eigenvalues < lowest))
