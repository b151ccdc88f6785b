"""Maximum-likelihood estimation of PLDA by EM over speaker means.

Kaldi inverts a D x D matrix for each number of utterances per speaker. That is done here too if there are few different
numbers. Else both covariances are first made diagonal, with one eigenproblem per iteration: then every speaker's
posterior is diagonal for any number of utterances, and the E-step is arithmetic on one array of means. Speakers with
the same number of utterances count only by the sum of their means' outer products, so that more than D of them are
replaced by D rows with the same sum. The result is the same.

Source: ivector/plda.cc, PldaEstimator; S. Ioffe, ECCV 2006.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minikaldi.ivector.plda import Plda, diagonalize, plda_of_covariances
from minikaldi.ivector.plda_stats import PldaStats
from minikaldi.ivector.vectors import Float64Array, IndexArray

FEW_GROUPS = 3  # a linear system takes about a quarter of the time of the eigenproblem and its changes of space


@dataclass(frozen=True)
class MeanGroups:
    """Speaker means by their number of utterances.

    Attributes:
        numbers: (G,) the different numbers of utterances, float64.
        num_speakers: (G,) speakers with each number.
        rows: (K, D), for each group one row per speaker, or D rows with the same sum of outer products.
        which: (K,) group of each row.
    """

    numbers: Float64Array
    num_speakers: IndexArray
    rows: Float64Array
    which: IndexArray

    @property
    def num_utterances(self) -> float:
        """Utterances of all speakers."""
        return float(self.numbers @ self.num_speakers)


def mean_groups(means: Float64Array, counts: Float64Array) -> MeanGroups:
    """The groups of speaker means.

    Args:
        means: speaker means less their average (S, D).
        counts: utterances of each speaker (S,).
    """
    numbers, which, num_speakers = np.unique(counts, return_inverse=True, return_counts=True)
    parts = []
    for group, size in enumerate(num_speakers):
        part = means[which == group]
        parts.append(part if size <= part.shape[1] else np.linalg.qr(part, mode="r"))
    return MeanGroups(
        numbers, num_speakers, np.concatenate(parts), np.repeat(np.arange(len(numbers)), [len(part) for part in parts])
    )


def em_step(
    within: Float64Array, between: Float64Array, groups: MeanGroups, scatter: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """One EM iteration: the covariances (D, D) that maximise the expected likelihood under the given ones.

    Args:
        within: current within-speaker covariance.
        between: current between-speaker covariance.
        groups: the speaker means.
        scatter: scatter about the speaker means (D, D).
    """
    expected = expected_by_group if len(groups.numbers) <= FEW_GROUPS else expected_in_common_space
    within_stats, between_stats = expected(within, between, groups)
    # A speaker with n utterances counts once for its mean, and n - 1 times for the spread about it.
    new_within = (scatter + within_stats) / groups.num_utterances
    new_between = between_stats / groups.num_speakers.sum()
    return _symmetric(new_within), _symmetric(new_between)


def _symmetric(matrix: Float64Array) -> Float64Array:
    return 0.5 * (matrix + matrix.T)


def expected_by_group(
    within: Float64Array, between: Float64Array, groups: MeanGroups
) -> tuple[Float64Array, Float64Array]:
    """Expected within- and between-speaker statistics, both (D, D): one linear system for each number of utterances."""
    within_stats, between_stats = np.zeros_like(within), np.zeros_like(between)
    for group, (number, num_speakers) in enumerate(zip(groups.numbers, groups.num_speakers, strict=True)):
        rows = groups.rows[groups.which == group]
        gain = np.linalg.solve(between + within / number, between)  # (D, D); rows @ gain are the posterior means
        posterior_var = within @ gain / number
        posterior_mean = rows @ gain
        residual = rows - posterior_mean
        between_stats += num_speakers * posterior_var + posterior_mean.T @ posterior_mean
        within_stats += number * (num_speakers * posterior_var + residual.T @ residual)
    return within_stats, between_stats


def expected_in_common_space(
    within: Float64Array, between: Float64Array, groups: MeanGroups
) -> tuple[Float64Array, Float64Array]:
    """The same, in the space where both covariances are diagonal and so is every speaker's posterior variance."""
    transform, psi = diagonalize(within, between)
    back = np.linalg.inv(transform)
    numbers, num_speakers = groups.numbers, groups.num_speakers
    projected = groups.rows @ transform.T  # (K, D)
    posterior_var = psi / (1.0 + numbers[:, None] * psi)  # (G, D): shared by the speakers of a group
    posterior_mean = (numbers[:, None] * posterior_var)[groups.which]
    posterior_mean *= projected
    residual = np.sqrt(numbers[groups.which])[:, None] * (projected - posterior_mean)
    between_stats = np.diag(num_speakers @ posterior_var) + posterior_mean.T @ posterior_mean
    within_stats = np.diag((num_speakers * numbers) @ posterior_var) + residual.T @ residual
    return back @ within_stats @ back.T, back @ between_stats @ back.T


def estimate_plda(
    stats: PldaStats, num_em_iters: int = 10, progress: Callable[[int, float, float], None] | None = None
) -> Plda:
    """PLDA model of the added speakers.

    Args:
        stats: statistics of the speakers.
        num_em_iters: EM iterations from unit covariances.
        progress: called after each iteration with its number and the traces of the within- and between-speaker
            covariances.

    Raises:
        KaldiError: the stats determine no model, or the within-speaker covariance became singular.
    """
    means, counts, scatter = stats.arrays()
    mean = means.mean(axis=0)  # every speaker has the same weight, as in Kaldi
    groups = mean_groups(means - mean, counts)
    within = between = np.eye(len(mean))
    for iteration in range(num_em_iters):
        within, between = em_step(within, between, groups, scatter)
        if progress is not None:
            progress(iteration, float(np.trace(within)), float(np.trace(between)))
    return plda_of_covariances(mean, within, between)
