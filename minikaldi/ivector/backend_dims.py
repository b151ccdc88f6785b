"""The number of dimensions that the training vectors of a back end support: for LDA, and for PCA before it if needed.

LDA and PLDA need a within-speaker covariance that is not singular, and its rank is at most N - S, the utterances beyond
the first of each speaker. If that is less than the dimension of the vectors, Kaldi's ivector-compute-lda ends with an
assertion or floors eigenvalues, and PLDA's scores reach -1e7. PCA then reduces the vectors to half of N - S: a
covariance of n vectors in n / 2 dimensions has its smallest eigenvalue near a tenth of the true one, in n dimensions
near zero (Marchenko and Pastur 1967).

Directions along which the vectors vary by less than a tenth of LDA's floor hold no information: rounding, as in vectors
that were stored as text, leaves some variance there. A direction just below the floor is real (statistics of MFCC have
one), and LDA raises it, as Kaldi does.

LDA keeps S - 1 dimensions, but at least two if possible: length normalisation makes a vector of one dimension 1 or -1,
and all vectors of a speaker equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common.errors import KaldiError
from minikaldi.ivector.lda import COVARIANCE_FLOOR, SpeakerScatter
from minikaldi.ivector.vectors import Float64Array, spanned_dims, varying_dims

LEAST_DIMS = 2
MOST_LISTED = 5


@dataclass(frozen=True)
class BackendDims:
    """The dimensions of a back end.

    Attributes:
        vectors: dimension of the vectors.
        pca: dimension after PCA; that of the vectors if no PCA is needed.
        lda: dimension after LDA.
        why: why PCA is needed, in words.
    """

    vectors: int
    pca: int
    lda: int
    why: str = field(default="", compare=False)


def choose_dims(scatter: SpeakerScatter, lda_dim: int) -> BackendDims:
    """The dimensions for these training vectors.

    Args:
        scatter: scatter of the vectors and their speakers.
        lda_dim: largest dimension after LDA.

    Raises:
        KaldiError: no dimension is possible: fewer than two speakers, one utterance each, or equal vectors of each
            speaker.
    """
    num_speakers, num_more = scatter.num_speakers, scatter.num_vectors - scatter.num_speakers
    found = f"{scatter.num_vectors} vectors of {num_speakers} speakers"
    if num_speakers < 2:
        raise KaldiError(f"found {found}; LDA and PLDA need two or more speakers: add some to the training data")
    if num_more == 0:
        raise KaldiError(f"found {found}; LDA and PLDA need speakers with two or more utterances: add some")
    total, between = scatter.covariances()
    variances, mean = np.diag(total), scatter.mean()
    between_dims = max(num_speakers - 1, LEAST_DIMS)
    above_rounding = directions_above_rounding(total, total - between)
    if above_rounding == spanned_dims(total - between, variances, mean) == scatter.dim:
        return BackendDims(scatter.dim, scatter.dim, min(lda_dim, between_dims, scatter.dim))
    total_dims = min(above_rounding, spanned_dims(total, variances, mean))
    most = total_dims if num_more >= total_dims else min(total_dims, max(num_more // 2, LEAST_DIMS))
    pca = regular_dims(total, total - between, mean, most)
    if pca == 0:
        raise KaldiError(
            f"found {found} that do not differ within speakers along their main directions; LDA and PLDA need speakers "
            "with two or more different utterances: are some there twice?"
        )
    reasons = []
    if most < total_dims:
        reasons.append(f"{scatter.num_vectors} training embeddings of {num_speakers} speakers support no more")
    constant = np.flatnonzero(~varying_dims(variances, mean)).tolist()
    if constant:
        reasons.append(f"{_named(constant)} the same in all {scatter.num_vectors} training embeddings")
    if pca < most:
        reasons.append("within speakers the embeddings vary along no more directions")
    elif most == total_dims < scatter.dim - len(constant):
        reasons.append("the embeddings vary along no more directions")
    return BackendDims(scatter.dim, pca, min(lda_dim, between_dims, pca), "; ".join(reasons))


def _named(dims: list[int]) -> str:
    listed = ", ".join(map(str, dims[:MOST_LISTED])) + (", …" if len(dims) > MOST_LISTED else "")
    return f"dimension {listed}, counted from 0, is" if len(dims) == 1 else f"dimensions {listed}, counted from 0, are"


def directions_above_rounding(total: Float64Array, within: Float64Array) -> int:
    """The number of principal directions with more variance than a tenth of LDA's floor.

    Args:
        total: total covariance (D, D).
        within: within-speaker covariance (D, D).
    """
    rounding = 0.1 * COVARIANCE_FLOOR * np.linalg.eigvalsh(within)[-1]
    return int(np.count_nonzero(np.linalg.eigvalsh(total) > rounding))


def regular_dims(total: Float64Array, within: Float64Array, mean: Float64Array, most: int) -> int:
    """The largest number of principal components, 0 to `most`, in which the within-speaker covariance is regular.

    Args:
        total: total covariance (D, D).
        within: within-speaker covariance (D, D).
        mean: mean of the vectors (D,).
        most: largest result.
    """
    variances, directions = np.linalg.eigh(total)
    leading = directions[:, ::-1][:, :most]  # (D, most)
    projected, totals, centre = leading.T @ within @ leading, variances[::-1][:most], leading.T @ mean
    low, high = 0, most  # fewer dimensions never make it singular
    while low < high:
        middle = (low + high + 1) // 2
        part = slice(0, middle)
        if spanned_dims(projected[part, part], totals[part], centre[part]) == middle:
            low = middle
        else:
            high = middle - 1
    return low
