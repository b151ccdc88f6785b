"""The statistics for PLDA: speaker means, counts and the scatter about the means; and a check that they determine it.

Source: ivector/plda.cc, PldaStats; ivectorbin/ivector-compute-plda.cc.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.ivector.vectors import Float64Array, require_finite, spanned_dims

ROWS_PER_PRODUCT = 1024


class PldaStats:
    """Speaker means, utterance counts and the scatter of the utterances about their speaker's mean."""

    def __init__(self) -> None:
        self._waiting: list[NDArray[np.floating]] = []  # vectors of speakers that are not in the sums yet
        self._num_waiting = 0
        self._counts: list[int] = []
        self._means: list[Float64Array] = []  # blocks (s, D)
        self._num_means = 0
        self._scatter: Float64Array | None = None

    def add_speaker(self, vectors: NDArray[np.floating]) -> None:
        """Add all vectors (N, D) of one speaker, N >= 1.

        Raises:
            KaldiError: a vector of a speaker added so far holds NaN or infinity.
        """
        self._waiting.append(vectors)
        self._counts.append(len(vectors))
        self._num_waiting += len(vectors)
        if self._num_waiting >= ROWS_PER_PRODUCT:
            self._add_waiting()

    def _add_waiting(self) -> None:
        """Add the waiting vectors: one matrix product for many speakers with few vectors each."""
        values = np.concatenate(self._waiting, dtype=np.float64)
        counts = np.array(self._counts[self._num_means :])
        means = np.add.reduceat(values, np.cumsum(counts) - counts, axis=0)
        means /= counts[:, None]
        for place in np.flatnonzero(~np.isfinite(means).all(axis=1))[:1]:  # the mean then holds NaN too
            require_finite(f"speaker number {self._num_means + int(place) + 1}", means[place])
        values -= np.repeat(means, counts, axis=0)
        scatter = values.T @ values
        self._scatter = scatter if self._scatter is None else self._scatter + scatter
        self._means.append(means)
        self._num_means += len(means)
        self._waiting.clear()
        self._num_waiting = 0

    @property
    def num_speakers(self) -> int:
        """Speakers added so far."""
        return len(self._counts)

    @property
    def num_utterances(self) -> int:
        """Vectors added so far."""
        return sum(self._counts)

    def arrays(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Speaker means (S, D), counts (S,) as float64, and scatter (D, D).

        Raises:
            KaldiError: they do not determine a model: nothing was added, no speaker has two utterances, there are no
                more vectors than dimensions, or the scatter is singular.
        """
        if not self._counts:
            raise KaldiError("No stats accumulated, unable to estimate PLDA: no speaker has an embedding.")
        if self._waiting:
            self._add_waiting()
        assert self._scatter is not None
        dim = len(self._scatter)
        if self.num_speakers == self.num_utterances:
            raise KaldiError(
                "No speakers with multiple utterances, unable to estimate PLDA: give two or more utterances of a "
                "speaker, or score by cosine"
            )
        if self.num_utterances <= dim:
            raise KaldiError(
                f"Number of training iVectors ({self.num_utterances}) is not greater than their dimension ({dim}), "
                "unable to estimate PLDA: give more vectors, or reduce them by LDA to fewer dimensions"
            )
        means, counts = np.concatenate(self._means), np.asarray(self._counts, dtype=np.float64)
        self._require_spread(means, counts, self._scatter)
        return means, counts, self._scatter

    def _require_spread(self, means: Float64Array, counts: Float64Array, scatter: Float64Array) -> None:
        """Refuse a singular scatter: the model would depend on the number of iterations, and scores reach -1e7."""
        mean = counts @ means / counts.sum()
        total = np.diag(scatter) + counts @ (means - mean) ** 2  # (D,)
        num_vectors = counts.sum()
        rank, dim = spanned_dims(scatter / num_vectors, total / num_vectors, mean), len(scatter)
        if rank == dim:
            return
        found = f"{self.num_utterances} vectors of {self.num_speakers} speakers"
        if rank == 0:
            raise KaldiError(
                f"the within-speaker covariance is zero: all vectors of a speaker are the same ({found}); give "
                "different utterances of each speaker"
            )
        raise KaldiError(
            f"the within-speaker covariance is singular: the vectors of a speaker differ along {rank} of {dim} "
            f"dimensions only ({found}); reduce them by LDA to at most {rank} dimensions, or give more utterances"
        )
