"""Two-covariance PLDA: the model, its space, its length normalisation and its log-likelihood ratio.

In the model's space the within-speaker covariance is the unit matrix and the between-speaker covariance is diagonal,
psi. A speaker's mean is drawn from N(0, psi), each of its vectors from N(mean, 1), dimension by dimension.

Source: S. Ioffe, "Probabilistic Linear Discriminant Analysis", ECCV 2006; Kaldi's ivector/plda.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minikaldi.errors import KaldiError
from minikaldi.ivector.vectors import Float64Array, IndexArray, paired_products


@dataclass(frozen=True)
class Plda:
    """A PLDA model.

    `mean`: (D,); `transform`: (D, D), maps centred vectors into the model's space; `psi`: (D,), the between-speaker
    variances there, falling and not negative. All float64.
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
        if values.shape[-1] != self.dim:
            raise KaldiError(
                f"the vectors have {values.shape[-1]} dimensions, the PLDA model {self.dim}; "
                "apply the transform that the model was trained with"
            )
        return (values - self.mean) @ self.transform.T

    def smoothed(self, factor: float) -> Plda:
        """A model whose within-speaker covariance is raised by `factor` times the between-speaker covariance."""
        within = 1.0 + factor * self.psi
        return Plda(self.mean, self.transform / np.sqrt(within)[:, None], self.psi / within)


def normalization_factors(
    projected: Float64Array, psi: Float64Array, num_examples: NDArray[np.integer], simple: bool = False
) -> Float64Array:
    """The factors that bring projected vectors to the length which the model expects.

    Args:
        projected: (N, D), from `Plda.project`.
        psi: (D,).
        num_examples: (N,) how many utterances were averaged into each vector.
        simple: sqrt(D) over the vector's own length, rather than by the expected variance psi + 1 / num_examples.

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
    N(n psi / (n psi + 1) u, psi / (n psi + 1)); the test vector adds the within-speaker variance 1. Written out, the
    squares of u and of the test vector separate and are worked out once; one inner product per trial is left.

    Args:
        psi: (D,).
        enroll: (M, D) in the model's space, `num_examples`: (M,) utterances averaged into each.
        test: (K, D) in the model's space.

    Source: ivector/plda.cc, LogLikelihoodRatio.
    """

    def __init__(
        self, psi: Float64Array, enroll: Float64Array, num_examples: NDArray[np.integer], test: Float64Array
    ) -> None:
        counts = np.asarray(num_examples)[:, None]  # (M, 1)
        variance = 1.0 + psi / (counts * psi + 1.0)  # (M, D)
        mean = counts * psi / (counts * psi + 1.0) * enroll
        self._psi, self._num_examples, self._test = psi, np.asarray(num_examples), test
        self._weighted_mean = mean / variance
        energy = np.einsum("md,md->m", self._weighted_mean, mean)
        self._enroll_term = 0.5 * (np.log1p(psi).sum() - np.log(variance).sum(axis=1) - energy)  # (M,)
        self._test_terms: dict[int, Float64Array] = {}

    def score(self, enroll_index: IndexArray, test_index: IndexArray) -> Float64Array:
        """Log-likelihood ratios (N,), natural log, of rows `enroll_index` and `test_index`, both (N,)."""
        ratios = paired_products(self._weighted_mean, self._test, enroll_index, test_index)
        ratios += self._enroll_term[enroll_index]
        counts = self._num_examples[enroll_index]
        for count in np.unique(counts):
            trials = np.flatnonzero(counts == count)
            ratios[trials] += self._test_term(int(count))[test_index[trials]]
        return ratios

    def _test_term(self, count: int) -> Float64Array:
        """(K,): what the test vectors' squares add against an average of `count` utterances."""
        if count not in self._test_terms:
            difference = 1.0 / (1.0 + self._psi) - 1.0 / (1.0 + self._psi / (count * self._psi + 1.0))
            self._test_terms[count] = 0.5 * self._test**2 @ difference
        return self._test_terms[count]
