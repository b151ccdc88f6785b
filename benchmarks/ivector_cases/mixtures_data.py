"""Seeded synthetic data for Gaussian mixtures: models, utterances, selected Gaussians; and the plain products."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from minikaldi.command import CommandRun
from minikaldi.fgmmbin.block_posteriors import block_posteriors
from minikaldi.gmm.conversions import diag_of_full
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_likes import BLOCK_BYTES, DiagScorer, block_rows
from minikaldi.gmm.flags import GmmFlags
from minikaldi.gmm.full_gmm import FULL_GMM, full_gmm_of_moments
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.full_stats import FullAccumulator
from minikaldi.gmm.selection import joined
from minikaldi.gmmbin.frame_tables import BLOCK_FRAMES, FrameTables, Utterance
from minikaldi.io import FLOAT_MATRIX, GSELECT, StreamContext, read_object, write_object, writer

NUM_SELECTED = 20
MIN_POST = 0.025
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
class Timed:
    """CPU seconds per frame of a computation, without reading and writing, and of its float32 products alone."""

    computation: float
    products: float


@dataclass(frozen=True)
class InProcess:
    """What was timed in one process, best of three each.

    Attributes:
        selection: the best Gaussians of each frame; log-likelihoods of all Gaussians.
        posteriors: shares of the selected Gaussians; whitened frames.
        statistics: their moments; whitened frames and second moments.
        peak: operations per second of a square product, the machine's peak.
    """

    selection: Timed
    posteriors: Timed
    statistics: Timed
    peak: float


def time_in_process(folder: Path, size: MixtureSize) -> InProcess:
    """Time computations on a block of frames, and products of the same shapes with their operands in place."""
    utterances = list(_utterances(folder, size))
    feats = np.concatenate([one.feats for one in utterances])
    selection = joined([one.selection for one in utterances if one.selection is not None])
    diag = DiagScorer(read_object(str(folder / "diag.ubm"), DIAG_GMM))
    full = FullScorer(read_object(str(folder / "full.ubm"), FULL_GMM))
    accumulator = FullAccumulator(full, GmmFlags.ALL)
    products = _products(size, len(feats))
    work: list[Callable[[], object]] = [
        lambda: diag.select(feats, min(NUM_SELECTED, size.num_gauss)),
        lambda: list(block_posteriors(full, utterances, MIN_POST)),
        lambda: accumulator.add(feats, None, selection),
    ]
    seconds = [best_cpu_seconds(each) / len(feats) for each in work]
    selected, shared, counted = (Timed(*both) for both in zip(seconds, products[:-1], strict=True))
    return InProcess(selected, shared, counted, products[-1])


def _utterances(folder: Path, size: MixtureSize) -> Iterator[Utterance]:
    """A block of them."""
    tables = FrameTables(f"ark:{folder}/feats.ark", f"ark:{folder}/gselect.ark", "", size.dim, size.num_gauss)
    return islice(tables.utterances(CommandRun("benchmark", StreamContext())), BLOCK_FRAMES // UTTERANCE_FRAMES)


def _products(size: MixtureSize, num_frames: int) -> tuple[float, float, float, float]:
    """CPU seconds per frame of the products of the three computations, and operations per second of a square one."""
    rows = block_rows(size.num_gauss, BLOCK_BYTES)
    expanded, matrix = _ones(rows, 2 * size.dim + 1), _ones(2 * size.dim + 1, size.num_gauss)
    likes = np.empty((rows, size.num_gauss), np.float32)
    selected = min(NUM_SELECTED, size.num_gauss)
    per_gauss = max(1, num_frames * selected // size.num_gauss)
    # Each Gaussian has frames and a factor of its own: the operands are not in the cache, as in any such computation.
    own = np.ones((size.num_gauss, per_gauss, size.dim), np.float32)
    factors = np.ones((size.num_gauss, size.dim, size.dim), np.float32)
    whitened, moments = np.empty_like(own[0]), np.empty((size.dim, size.dim), np.float32)

    def whiten() -> None:
        for frames_of_one, factor in zip(own, factors, strict=True):
            np.matmul(frames_of_one, factor, out=whitened)

    def multiply() -> None:
        for frames_of_one in own:
            np.matmul(frames_of_one.T, frames_of_one, out=moments)

    frames = per_gauss * size.num_gauss / selected
    likes_seconds = best_cpu_seconds(lambda: np.matmul(expanded, matrix, out=likes)) / rows
    whiten_seconds = best_cpu_seconds(whiten) / frames
    square, product = _ones(PEAK_ROWS, PEAK_ROWS), np.empty((PEAK_ROWS, PEAK_ROWS), np.float32)
    peak = 2.0 * PEAK_ROWS**3 / best_cpu_seconds(lambda: np.matmul(square, square, out=product))
    return likes_seconds, whiten_seconds, whiten_seconds + best_cpu_seconds(multiply) / frames, peak


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
