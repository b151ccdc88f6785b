"""Seeded synthetic data for Gaussian mixtures: models, utterances, selected Gaussians; and the plain products."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minikaldi.gmm.conversions import diag_of_full
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_likes import BLOCK_BYTES, DiagScorer, block_rows
from minikaldi.gmm.full_gmm import FULL_GMM, full_gmm_of_moments
from minikaldi.gmmbin.frame_tables import BLOCK_FRAMES
from minikaldi.io import FLOAT_MATRIX, GSELECT, read_object, write_object, writer

NUM_SELECTED = 20
UTTERANCE_FRAMES = 500
FRAMES_PER_STATE = 8  # that the same Gaussian explains best
PEAK_ROWS = 2048


@dataclass(frozen=True)
class MixtureSize:
    """Sizes of a mixture.

    Attributes:
        num_gauss: M.
        dim: F.
    """

    num_gauss: int
    dim: int

    def __str__(self) -> str:
        return f"{self.num_gauss:,} x {self.dim}"


def write_mixture(folder: Path, size: MixtureSize, seed: int) -> None:
    """`full.ubm` and `diag.ubm`: Gaussians apart from one another, with correlated dimensions."""
    rng = np.random.default_rng(seed)
    means = 2.0 * rng.standard_normal((size.num_gauss, size.dim))
    spread = rng.standard_normal((size.num_gauss, size.dim, size.dim)) / np.sqrt(size.dim)
    covars = 0.5 * spread @ spread.transpose(0, 2, 1) + 0.5 * np.eye(size.dim)
    gmm = full_gmm_of_moments(np.full(size.num_gauss, 1 / size.num_gauss), means, covars)
    write_object(str(folder / "full.ubm"), FULL_GMM, gmm)
    write_object(str(folder / "diag.ubm"), DIAG_GMM, diag_of_full(gmm))


def write_frames(folder: Path, size: MixtureSize, utterances: int, seed: int) -> None:
    """`feats.ark` and `gselect.ark` of so many utterances, and `feats1.ark`, `gselect1.ark` of the first alone."""
    rng = np.random.default_rng(seed + 1)
    gmm = read_object(str(folder / "diag.ubm"), DIAG_GMM)
    means, scorer = gmm.means(), DiagScorer(gmm)
    count = min(NUM_SELECTED, size.num_gauss)
    for name, number in (("", utterances), ("1", 1)):
        with (
            writer(f"ark:{folder}/feats{name}.ark", FLOAT_MATRIX) as feats,
            writer(f"ark:{folder}/gselect{name}.ark", GSELECT) as selections,
        ):
            for index in range(number):
                states = rng.integers(size.num_gauss, size=UTTERANCE_FRAMES // FRAMES_PER_STATE + 1)
                best = states.repeat(FRAMES_PER_STATE)[:UTTERANCE_FRAMES]
                frames = (means[best] + rng.standard_normal((len(best), size.dim))).astype(np.float32)
                feats.write(f"utt-{index:05}", frames)
                selections.write(f"utt-{index:05}", scorer.select(frames, count)[0])


@dataclass(frozen=True)
class PlainProducts:
    """CPU seconds per frame of the plain float32 products alone, and the machine's peak.

    Attributes:
        selection: log-likelihoods of all Gaussians.
        posteriors: whitened frames of the selected Gaussians.
        statistics: these, and the second moments.
        peak: operations per second of a square product.
    """

    selection: float
    posteriors: float
    statistics: float
    peak: float


def plain_products(size: MixtureSize) -> PlainProducts:
    """Time them, best of three: the shapes that the commands use, with the frames already in place."""
    rows = block_rows(size.num_gauss, BLOCK_BYTES)
    expanded, matrix = _ones(rows, 2 * size.dim + 1), _ones(2 * size.dim + 1, size.num_gauss)
    likes = np.empty((rows, size.num_gauss), np.float32)
    selected = min(NUM_SELECTED, size.num_gauss)
    per_gauss = max(1, BLOCK_FRAMES * selected // size.num_gauss)
    own, factor = _ones(per_gauss, size.dim), np.ones((size.num_gauss, size.dim, size.dim), np.float32)
    whitened, moments = np.empty_like(own), np.empty((size.dim, size.dim), np.float32)

    def posteriors() -> None:
        for each in factor:
            np.matmul(own, each, out=whitened)

    def second_moments() -> None:
        for _ in factor:
            np.matmul(own.T, own, out=moments)

    frames = per_gauss * size.num_gauss / selected
    forward = best_cpu_seconds(posteriors) / frames
    square, product = _ones(PEAK_ROWS, PEAK_ROWS), np.empty((PEAK_ROWS, PEAK_ROWS), np.float32)
    return PlainProducts(
        selection=best_cpu_seconds(lambda: np.matmul(expanded, matrix, out=likes)) / rows,
        posteriors=forward,
        statistics=forward + best_cpu_seconds(second_moments) / frames,
        peak=2.0 * PEAK_ROWS**3 / best_cpu_seconds(lambda: np.matmul(square, square, out=product)),
    )


def _ones(rows: int, cols: int) -> np.ndarray:
    return np.ones((rows, cols), np.float32)


def best_cpu_seconds(work: Callable[[], object], least: float = 0.05) -> float:
    """CPU seconds of a call, the best of three; a short one is repeated until it takes `least` seconds."""
    work()
    repeats, used = 1, 0.0
    while True:
        used = _cpu_seconds(work, repeats)
        if used >= least:
            break
        repeats *= 4
    return min(used, *(_cpu_seconds(work, repeats) for _ in range(2))) / repeats


def _cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        work()
    return time.process_time() - start
