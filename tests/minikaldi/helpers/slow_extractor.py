"""The i-vector extractor written down slowly, in float64: one utterance, one Gaussian and one frame at a time.

Nothing is taken about a centre and nothing is batched, so it shares no step with minikaldi.ivector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minikaldi.gmm.triangles import packed_of, unpacked
from minikaldi.io import FramePosteriors
from minikaldi.ivector.extractor import IvectorExtractor

Array = NDArray[Any]
Utterance = tuple[Array, FramePosteriors]


def from_frames(frames: list[list[tuple[int, float]]]) -> FramePosteriors:
    """The arrays of posteriors that are lists."""
    pairs = [pair for frame in frames for pair in frame]
    return FramePosteriors(
        np.array([len(frame) for frame in frames], np.int32),
        np.array([index for index, _ in pairs], np.int32),
        np.array([share for _, share in pairs], np.float32),
    )


def random_extractor(
    num_gauss: int = 5, dim: int = 3, ivector_dim: int = 4, seed: int = 0, with_weights: bool = False
) -> IvectorExtractor:
    """A model of Gaussians apart from one another, as a trained one has them."""
    rng = np.random.default_rng(seed)
    projections = 0.5 * rng.standard_normal((num_gauss, dim, ivector_dim))
    projections[:, :, 0] = 3.0 * rng.standard_normal((num_gauss, dim)) / 100.0
    spread = rng.standard_normal((num_gauss, dim, dim))
    covars = 0.3 * spread @ spread.transpose(0, 2, 1) + np.eye(dim)
    weights = rng.dirichlet(np.ones(num_gauss))
    log_weights = 0.3 * rng.standard_normal((num_gauss, ivector_dim))
    log_weights[:, 0] /= 100.0
    none = np.zeros((0, 0))
    return IvectorExtractor(
        projections, packed_of(np.linalg.inv(covars)).astype(np.float64),
        np.zeros(0) if with_weights else weights, log_weights if with_weights else none, 100.0,
    )  # fmt: skip


def random_utterance(extractor: IvectorExtractor, num_frames: int, seed: int) -> Utterance:
    """Frames that the model draws for a vector of its own, each shared by one to three Gaussians."""
    rng = np.random.default_rng(1000 + seed)
    vector = rng.standard_normal(extractor.ivector_dim)
    vector[0] += extractor.prior_offset
    frames, posteriors = [], []
    for _ in range(num_frames):
        chosen = np.sort(
            rng.choice(extractor.num_gauss, size=rng.integers(1, min(3, extractor.num_gauss) + 1), replace=False)
        )
        covar = np.linalg.inv(unpacked(extractor.inv_covars[chosen[0]]))
        frames.append(rng.multivariate_normal(extractor.projections[chosen[0]] @ vector, covar))
        shares = np.float32(rng.dirichlet(np.ones(len(chosen))))
        posteriors.append(list(zip(chosen.tolist(), shares.tolist(), strict=True)))
    return np.array(frames, dtype=np.float32), from_frames(posteriors)


def utterance_statistics(extractor: IvectorExtractor, utterance: Utterance) -> tuple[Array, Array, Array]:
    """Counts (M,), sums of frames (M, F) and of their squares (M, F, F)."""
    feats, posteriors = utterance
    counts = np.zeros(extractor.num_gauss)
    sums = np.zeros((extractor.num_gauss, extractor.dim))
    squares = np.zeros((extractor.num_gauss, extractor.dim, extractor.dim))
    place = 0
    for frame, number in zip(feats.astype(np.float64), posteriors.counts, strict=True):
        for _ in range(number):
            gauss, share = int(posteriors.indices[place]), float(posteriors.shares[place])
            counts[gauss] += share
            sums[gauss] += share * frame
            squares[gauss] += share * np.outer(frame, frame)
            place += 1
    return counts, sums, squares


def vector_posterior(extractor: IvectorExtractor, counts: Array, sums: Array) -> tuple[Array, Array]:
    """Mean (I,) about zero and covariance (I, I) of the vector, with constant weights."""
    precision, linear = np.eye(extractor.ivector_dim), np.zeros(extractor.ivector_dim)
    linear[0] = extractor.prior_offset
    for gauss in range(extractor.num_gauss):
        weighted = extractor.projections[gauss].T @ unpacked(extractor.inv_covars[gauss])
        precision += counts[gauss] * weighted @ extractor.projections[gauss]
        linear += weighted @ sums[gauss]
    covar = np.linalg.inv(precision)
    return covar @ linear, covar


def expected_log_likelihood(
    extractor: IvectorExtractor, counts: Array, sums: Array, squares: Array, mean: Array, covar: Array
) -> float:
    """The auxiliary function: E log p(frames, Gaussians | w) - KL(posterior of w | prior), by its definition."""
    total = 0.0
    for gauss in range(extractor.num_gauss):
        precision = unpacked(extractor.inv_covars[gauss])
        matrix = extractor.projections[gauss]
        centre = matrix @ mean
        scatter = squares[gauss] - np.outer(sums[gauss], centre) - np.outer(centre, sums[gauss])
        scatter += counts[gauss] * (np.outer(centre, centre) + matrix @ covar @ matrix.T)
        log_det = np.linalg.slogdet(precision)[1]
        total += counts[gauss] * (
            np.log(extractor.weights[gauss]) + 0.5 * (log_det - extractor.dim * np.log(2 * np.pi))
        )
        total -= 0.5 * np.trace(precision @ scatter)
    moved = mean.copy()
    moved[0] -= extractor.prior_offset
    log_det = np.linalg.slogdet(covar)[1]
    return float(total - 0.5 * (moved @ moved + np.trace(covar) - len(mean) - log_det))


def pass_statistics(extractor: IvectorExtractor, utterances: list[Utterance]) -> dict[str, Array]:
    """The statistics of Kaldi's file, by the names of `ExtractorStats`."""
    num_gauss, dim, ivector_dim = extractor.projections.shape
    found: dict[str, Any] = {
        "auxf": 0.0, "counts": np.zeros(num_gauss), "linear": np.zeros((num_gauss, dim, ivector_dim)),
        "quadratic": np.zeros((num_gauss, ivector_dim, ivector_dim)), "scatter": np.zeros((num_gauss, dim, dim)),
        "num_ivectors": len(utterances), "ivector_sum": np.zeros(ivector_dim),
        "ivector_scatter": np.zeros((ivector_dim, ivector_dim)),
    }  # fmt: skip
    for utterance in utterances:
        counts, sums, squares = utterance_statistics(extractor, utterance)
        mean, covar = vector_posterior(extractor, counts, sums)
        found["auxf"] += expected_log_likelihood(extractor, counts, sums, squares, mean, covar)
        moment = covar + np.outer(mean, mean)
        found["counts"] += counts
        found["scatter"] += squares
        found["ivector_sum"] += mean
        found["ivector_scatter"] += moment
        for gauss in range(num_gauss):
            found["linear"][gauss] += np.outer(sums[gauss], mean)
            found["quadratic"][gauss] += counts[gauss] * moment
    for name in ("quadratic", "scatter", "ivector_scatter"):
        found[name] = packed_of(found[name])
    return found
