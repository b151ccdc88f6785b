"""Maximum-likelihood estimation of PLDA by EM over speaker means.

Kaldi inverts a D x D matrix for each number of utterances per speaker. Here both covariances are first brought to
diagonal form, one eigenproblem an iteration; then every speaker's posterior is diagonal whatever its number of
utterances, and the E-step is arithmetic on one (S, D) array. The result is the same.

Source: ivector/plda.cc, PldaEstimator; S. Ioffe, ECCV 2006.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minikaldi.errors import KaldiError
from minikaldi.ivector.plda import Plda, diagonalize, plda_of_covariances
from minikaldi.ivector.vectors import Float64Array, require_finite

ROWS_PER_PRODUCT = 1024


class PldaStats:
    """Speaker means, utterance counts and the scatter of the utterances about their speaker's mean."""

    def __init__(self) -> None:
        self._means: list[Float64Array] = []
        self._counts: list[int] = []
        self._offsets: list[Float64Array] = []  # not in the scatter yet
        self._num_rows = 0
        self._scatter: Float64Array | None = None

    def add_speaker(self, vectors: NDArray[np.floating]) -> None:
        """Add all vectors (N, D) of one speaker.

        Raises:
            KaldiError: one holds NaN or infinity.
        """
        values = np.asarray(vectors, dtype=np.float64)
        mean = values.mean(axis=0)
        require_finite(f"speaker number {self.num_speakers + 1}", mean)  # the mean shows it
        self._means.append(mean)
        self._counts.append(len(values))
        self._offsets.append(values - mean)
        self._num_rows += len(values)
        if self._num_rows >= ROWS_PER_PRODUCT:
            self._add_offsets()

    def _add_offsets(self) -> None:
        """One matrix product for many speakers, whose vectors are few."""
        offsets = np.concatenate(self._offsets)
        scatter = offsets.T @ offsets
        self._scatter = scatter if self._scatter is None else self._scatter + scatter
        self._offsets.clear()
        self._num_rows = 0

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
            KaldiError: nothing was added, or no speaker has two utterances, so that the within-speaker covariance is
                not determined.
        """
        if not self._counts:
            raise KaldiError("No stats accumulated, unable to estimate PLDA: no speaker has an embedding.")
        if self.num_speakers == self.num_utterances:
            raise KaldiError("No speakers with multiple utterances, unable to estimate PLDA.")
        if self._offsets:
            self._add_offsets()
        assert self._scatter is not None
        return np.stack(self._means), np.asarray(self._counts, dtype=np.float64), self._scatter


def em_step(
    within: Float64Array, between: Float64Array, means: Float64Array, counts: Float64Array, scatter: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """One EM iteration: the covariances (D, D) that maximise the expected likelihood under the given ones.

    Args:
        within, between: current covariances.
        means: (S, D) speaker means, less their average.
        counts: (S,) utterances per speaker.
        scatter: (D, D) about the speaker means.
    """
    transform, psi = diagonalize(within, between)
    back = np.linalg.inv(transform)
    projected = means @ transform.T  # (S, D)
    # Speakers with equally many utterances share their posterior variance; different numbers are few.
    numbers, which, num_speakers = np.unique(counts, return_inverse=True, return_counts=True)
    posterior_var = psi / (1.0 + numbers[:, None] * psi)
    posterior_mean = (numbers[:, None] * posterior_var)[which]
    posterior_mean *= projected
    residual = np.sqrt(counts)[:, None] * (projected - posterior_mean)
    between_stats = np.diag(num_speakers @ posterior_var) + posterior_mean.T @ posterior_mean
    within_stats = np.diag((num_speakers * numbers) @ posterior_var) + residual.T @ residual
    # Each speaker counts once for its mean, and once less than its utterances for their spread about it.
    new_within = (scatter + back @ within_stats @ back.T) / counts.sum()
    return new_within, back @ between_stats @ back.T / len(counts)


def estimate_plda(
    stats: PldaStats, num_em_iters: int = 10, progress: Callable[[int, float, float], None] | None = None
) -> Plda:
    """PLDA model of the added speakers.

    Args:
        stats: at least one speaker with two utterances.
        num_em_iters: EM iterations from unit covariances.
        progress: called after each with its number and the traces of the within- and between-speaker covariances.

    Raises:
        KaldiError: no speaker has two utterances, or the within-speaker covariance became singular.
    """
    means, counts, scatter = stats.arrays()
    mean = means.mean(axis=0)  # every speaker weighs the same, as in Kaldi
    within = between = np.eye(len(mean))
    for iteration in range(num_em_iters):
        within, between = em_step(within, between, means - mean, counts, scatter)
        if progress is not None:
            progress(iteration, float(np.trace(within)), float(np.trace(between)))
    return plda_of_covariances(mean, within, between)
