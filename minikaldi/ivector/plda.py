"""Two-covariance PLDA: the model, its space, its length normalisation and its log-likelihood ratio.

In the model's space the within-speaker covariance is the unit matrix and the between-speaker covariance is diagonal,
psi. A speaker's mean is drawn from N(0, psi), each of its vectors from N(mean, 1), dimension by dimension.

Source: S. Ioffe, "Probabilistic Linear Discriminant Analysis", ECCV 2006; Kaldi's ivector/plda.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.ivector.vectors import Float64Array, IndexArray, orient_rows, paired_products


@dataclass(frozen=True)
class Plda:
    """A PLDA model; all arrays are float64.

    Attributes:
        mean: (D,).
        transform: (D, D), maps centred vectors into the model's space.
        psi: (D,), between-speaker variances in that space, falling and >= 0.
    """

    mean: Float64Array
    transform: Float64Array
    psi: Float64Array

    @property
    def dim(self) -> int:
        """Dimensions of the vectors that the model takes."""
        return len(self.mean)

    def project(self, vectors: NDArray[np.floating]) -> Float64Array:
        """Vectors (N, D) in the model's space, (N, D).

        Raises:
            KaldiError: the vectors are not of the model's dimension.
        """
        values = np.asarray(vectors, dtype=np.float64)
        self.check_dim(values.shape[-1])
        return (values - self.mean) @ self.transform.T

    def check_dim(self, dim: int) -> None:
        """Check the dimension of vectors.

        Raises:
            KaldiError: it is not that of the model.
        """
        if dim != self.dim:
            raise KaldiError(
                f"the vectors have {dim} dimensions, the PLDA model {self.dim}; "
                "apply the transform that the model was trained with"
            )

    def covariances(self) -> tuple[Float64Array, Float64Array]:
        """Within- and between-speaker covariance of the vectors, both (D, D)."""
        back = np.linalg.inv(self.transform)
        return back @ back.T, (back * self.psi) @ back.T

    def reduced(self, matrix: Float64Array) -> Plda:
        """The model of vectors that are transformed by `matrix` (D', D), of full rank D' <= D.

        Source: ivector/plda.cc, Plda::ApplyTransform.
        """
        within, between = self.covariances()
        return plda_of_covariances(matrix @ self.mean, matrix @ within @ matrix.T, matrix @ between @ matrix.T)

    def smoothed(self, factor: float) -> Plda:
        """A model whose within-speaker covariance is raised by `factor` times the between-speaker covariance."""
        within = 1.0 + factor * self.psi
        return Plda(self.mean, self.transform / np.sqrt(within)[:, None], self.psi / within)


def diagonalize(within: Float64Array, between: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Transform A (D, D) and psi (D,), falling, with A within Aᵀ = I and A between Aᵀ = diag(psi), psi >= 0.

    Raises:
        KaldiError: `within` is not positive definite.
    """
    try:
        whitening = np.linalg.inv(np.linalg.cholesky(within))
    except np.linalg.LinAlgError as error:
        raise KaldiError(
            "the within-speaker covariance is singular: there are too few utterances for the number of dimensions "
            f"({len(within)}), or they are the same; reduce the dimension by LDA"
        ) from error
    projected = whitening @ between @ whitening.T
    psi, vectors = np.linalg.eigh(0.5 * (projected + projected.T))
    return vectors[:, ::-1].T @ whitening, np.maximum(psi[::-1], 0.0)


def plda_of_covariances(mean: Float64Array, within: Float64Array, between: Float64Array) -> Plda:
    """The model with this mean (D,) and these covariances (D, D); the sign of each row by `orient_rows`.

    Raises:
        KaldiError: `within` is not positive definite.
    """
    transform, psi = diagonalize(within, between)
    return Plda(mean, orient_rows(transform), psi)


def normalization_factors(
    projected: Float64Array, psi: Float64Array, num_examples: NDArray[np.integer], simple: bool = False
) -> Float64Array:
    """The factors that scale projected vectors to the length that the model expects.

    Args:
        projected: (N, D), from `Plda.project`.
        psi: (D,).
        num_examples: (N,) utterances averaged into each vector.
        simple: whether to use sqrt(D) over the vector's length instead of the expected variance psi + 1 / num_examples.

    Returns:
        (N,).

    Source: ivector/plda.cc, GetNormalizationFactor and --simple-length-normalization.
    """
    dim = projected.shape[1]
    if simple:
        energy = np.einsum("nd,nd->n", projected, projected)
    else:
        energy = np.empty(len(projected))
        for count in np.unique(num_examples):  # vectors that averaged equally many utterances share their variances
            rows = np.flatnonzero(num_examples == count)
            energy[rows] = projected[rows] ** 2 @ (1.0 / (psi + 1.0 / count))
    with np.errstate(divide="ignore"):  # a vector at the model's mean has no length: infinite here, as in Kaldi
        return np.sqrt(dim / energy)


class TrialScorer:
    """log p(test | same speaker as enrol) − log p(test | another speaker), for any trials of two tables of vectors.

    With n utterances averaged into the enrolment vector u, the speaker's mean has the posterior
    N(n psi / (n psi + 1) u, psi / (n psi + 1)); the test vector adds the within-speaker variance 1. In the expansion,
    the squares of u and of the test vector separate and are computed once; one inner product per trial is left.

    Args:
        psi: (D,).
        enroll: (M, D) in the model's space.
        num_examples: (M,) utterances averaged into each enrolment vector.
        test: (K, D) in the model's space.

    Source: ivector/plda.cc, LogLikelihoodRatio.
    """

    def __init__(
        self, psi: Float64Array, enroll: Float64Array, num_examples: NDArray[np.integer], test: Float64Array
    ) -> None:
        counts = np.asarray(num_examples)[:, None]  # (M, 1)
        variance = 1.0 + psi / (counts * psi + 1.0)  # (M, D)
        mean = counts * psi / (counts * psi + 1.0) * enroll
        self._psi, self._test = psi, test
        self._counts, self._group = np.unique(num_examples, return_inverse=True)  # few different counts, one per group
        self._weighted_mean = mean / variance
        energy = np.einsum("md,md->m", self._weighted_mean, mean)
        self._enroll_term = 0.5 * (np.log1p(psi).sum() - np.log(variance).sum(axis=1) - energy)  # (M,)
        self._test_terms: dict[int, Float64Array] = {}  # by group

    def score(self, enroll_index: IndexArray, test_index: IndexArray) -> Float64Array:
        """Log-likelihood ratios (N,), natural log, of rows `enroll_index` and `test_index`, both (N,)."""
        ratios = paired_products(self._weighted_mean, self._test, enroll_index, test_index)
        ratios += self._enroll_term[enroll_index]
        groups = self._group[enroll_index]
        for group in np.flatnonzero(np.bincount(groups)):
            trials = np.flatnonzero(groups == group)
            ratios[trials] += self._test_term(int(group))[test_index[trials]]
        return ratios

    def score_all(self) -> Float64Array:
        """Log-likelihood ratios (M, K) of every enrolment vector with every test vector."""
        ratios = self._weighted_mean @ self._test.T
        ratios += self._enroll_term[:, None]
        for row, group in zip(ratios, self._group.tolist(), strict=True):  # in place, for memory
            row += self._test_term(group)
        return ratios

    def _test_term(self, group: int) -> Float64Array:
        """(K,): the terms of the test vectors' squares, for enrolment vectors of this group's number of utterances."""
        if group not in self._test_terms:
            given_speaker = 1.0 + self._psi / (self._counts[group] * self._psi + 1.0)
            difference = 1.0 / (1.0 + self._psi) - 1.0 / given_speaker
            self._test_terms[group] = 0.5 * self._test**2 @ difference
        return self._test_terms[group]
