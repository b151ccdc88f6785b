"""Seeded synthetic data for the i-vector extractor: a model, and utterances with posteriors as a recipe has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minikaldi.gmm.full_gmm import FULL_GMM, full_gmm_of_moments
from minikaldi.gmm.triangles import packed_of
from minikaldi.io import FLOAT_MATRIX, POSTERIOR_ARRAYS, FramePosteriors, write_object, writer
from minikaldi.ivector.extractor import FIRST_OFFSET, IvectorExtractor
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR

SELECTED, SMALLEST_SHARE = 20, 0.025  # of gmm-gselect --n and fgmm-global-gselect-to-post --min-post
FRAMES = (300, 800)  # of an utterance: 3 to 8 s
FRAMES_PER_SOUND = 8  # that the same Gaussian explains best
PEAK_SIZE = 2000


@dataclass(frozen=True)
class ExtractorSize:
    """Sizes of a model.

    Attributes:
        num_gauss: M.
        dim: F.
        ivector_dim: I.
    """

    num_gauss: int
    dim: int
    ivector_dim: int

    def __str__(self) -> str:
        return f"{self.num_gauss:,} x {self.dim} x {self.ivector_dim}"

    @property
    def triangle(self) -> int:
        """Elements of the lower triangle of (I, I)."""
        return self.ivector_dim * (self.ivector_dim + 1) // 2

    def extraction_flops(self) -> float:
        """Floating-point operations of the two products for an utterance: all precisions, all linear terms."""
        return 2.0 * self.num_gauss * (self.triangle + self.dim * self.ivector_dim)

    def e_step_flops(self) -> float:
        """Those of the four products: the statistics R and Y are as large."""
        return 2.0 * self.extraction_flops()


def write_model(folder: Path, size: ExtractorSize, seed: int) -> None:
    """`ubm` and `model.ie`: Gaussians apart from one another, directions of the size that training gives."""
    rng = np.random.default_rng(seed)
    means = 2.0 * rng.standard_normal((size.num_gauss, size.dim))
    spread = rng.standard_normal((size.num_gauss, size.dim, size.dim)) / np.sqrt(size.dim)
    covars = 0.5 * spread @ spread.transpose(0, 2, 1) + 0.5 * np.eye(size.dim)
    weights = np.full(size.num_gauss, 1.0 / size.num_gauss)
    write_object(str(folder / "ubm"), FULL_GMM, full_gmm_of_moments(weights, means, covars))
    projections = rng.standard_normal((size.num_gauss, size.dim, size.ivector_dim))
    projections *= 1.0 / np.sqrt(size.ivector_dim)
    projections[:, :, 0] = means / FIRST_OFFSET
    inverses = packed_of(np.linalg.inv(covars)).astype(np.float64)
    model = IvectorExtractor(projections, inverses, weights, np.zeros((0, 0)), FIRST_OFFSET)
    write_object(str(folder / "model.ie"), EXTRACTOR, model)


def write_utterances(folder: Path, size: ExtractorSize, count: int, seed: int) -> None:
    """`feats.ark`, `post.ark` of `count` utterances, and those of the first alone, `feats1.ark`, `post1.ark`."""
    rng = np.random.default_rng(seed)
    means = 2.0 * np.random.default_rng(seed).standard_normal((size.num_gauss, size.dim))  # those of the model
    for name, number in (("", count), ("1", 1)):
        with (
            writer(f"ark:{folder}/feats{name}.ark", FLOAT_MATRIX) as feats,
            writer(f"ark:{folder}/post{name}.ark", POSTERIOR_ARRAYS) as posteriors,
        ):
            for index in range(number):
                best = rng.integers(size.num_gauss, size=FRAMES[1] // FRAMES_PER_SOUND).repeat(FRAMES_PER_SOUND)
                best = best[: rng.integers(*FRAMES)]
                frames = means[best] + rng.standard_normal((len(best), size.dim))
                feats.write(f"utt-{index:05}", frames.astype(np.float32))
                posteriors.write(f"utt-{index:05}", _posteriors(best, size.num_gauss, rng))


def _posteriors(best: NDArray[np.int64], num_gauss: int, rng: np.random.Generator) -> FramePosteriors:
    """Shares that fall off from the best of the selected Gaussians; small ones are left out."""
    gaps = np.cumsum(rng.exponential(0.7, size=(len(best), SELECTED)), axis=1)
    shares = np.exp(-(gaps - gaps[:, :1]))
    shares /= shares.sum(axis=1, keepdims=True)
    kept = shares >= SMALLEST_SHARE
    shares = np.where(kept, shares, 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    gauss = (best[:, None] + np.arange(SELECTED)) % num_gauss
    return FramePosteriors(
        kept.sum(axis=1).astype(np.int32), gauss[kept].astype(np.int32), shares[kept].astype(np.float32)
    )


def plain_product_seconds(size: ExtractorSize, batch: int) -> tuple[float, float, float]:
    """CPU seconds per utterance of the plain float32 products alone, best of three.

    Args:
        size: of the model.
        batch: utterances in each product.

    Returns:
        (E-step, extraction, operations per second of a square product of 2,000: the machine's peak).
    """
    counts, sums = np.ones((batch, size.num_gauss), "f4"), np.ones((batch, size.num_gauss * size.dim), "f4")
    quadratic = np.ones((size.num_gauss, size.triangle), "f4")
    linear = np.ones((size.num_gauss * size.dim, size.ivector_dim), "f4")
    precisions, vectors = np.empty((batch, size.triangle), "f4"), np.empty((batch, size.ivector_dim), "f4")

    def extraction() -> None:
        np.matmul(counts, quadratic, out=precisions)
        np.matmul(sums, linear, out=vectors)

    def statistics() -> None:
        np.matmul(counts.T, precisions, out=quadratic)
        np.matmul(sums.T, vectors, out=linear)

    square, product = np.ones((PEAK_SIZE, PEAK_SIZE), "f4"), np.empty((PEAK_SIZE, PEAK_SIZE), "f4")
    forward, backward = _best_seconds(extraction), _best_seconds(statistics)
    peak = 2.0 * PEAK_SIZE**3 / _best_seconds(lambda: np.matmul(square, square, out=product))
    return (forward + backward) / batch, forward / batch, peak


def _best_seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9)
