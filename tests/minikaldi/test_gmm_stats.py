"""Statistics of the mixtures: against the formulas frame by frame, sums of parts, files, flags, refusals."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm import full_stats
from minikaldi.gmm.diag_gmm import diag_gmm_of_moments
from minikaldi.gmm.diag_likes import DiagScorer
from minikaldi.gmm.diag_stats import DIAG_STATS, DiagAccumulator, DiagStats
from minikaldi.gmm.flags import GmmFlags, check_flags, flag_letters, needed_flags, parse_flags
from minikaldi.gmm.full_gmm import full_gmm_of_moments
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.full_stats import FULL_STATS, FullAccumulator, FullStats
from minikaldi.gmm.triangles import unpacked
from minikaldi.io import FrameIndices, Holder
from tests.minikaldi.helpers.slow_mixtures import (
    random_frames,
    random_moments,
    random_selection,
    slow_statistics,
)

SIZE, DIM, FRAMES = 6, 4, 60
MVW = GmmFlags.MEANS | GmmFlags.VARIANCES | GmmFlags.WEIGHTS
ALL = FrameIndices(np.full(FRAMES, SIZE, np.int32), np.tile(np.arange(SIZE, dtype=np.int32), FRAMES))
# Shares come from float32 likelihoods: some 1e-6 of a frame.
CLOSE = {"rtol": 1e-5, "atol": 1e-4}


def diagonal_moments() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights, means, covars = random_moments(SIZE, DIM)
    return weights, means, covars * np.eye(DIM)


def diag_accumulator(flags: GmmFlags = MVW) -> DiagAccumulator:
    weights, means, covars = diagonal_moments()
    gmm = diag_gmm_of_moments(weights, means, np.diagonal(covars, axis1=1, axis2=2))
    return DiagAccumulator(DiagScorer(gmm), flags)


def full_accumulator(flags: GmmFlags = MVW) -> FullAccumulator:
    return FullAccumulator(FullScorer(full_gmm_of_moments(*random_moments(SIZE, DIM))), flags)


def no_ranges() -> FrameIndices:
    """Lists that Kaldi does not take for ranges (test_gmm_likes.py): the last is smaller than the first."""
    selection = random_selection(FRAMES, SIZE)
    ends = np.cumsum(selection.counts)
    parts = [np.sort(part)[::-1] for part in np.split(selection.indices, ends[:-1])]
    return FrameIndices(selection.counts, np.concatenate(parts))


def second_moments(stats: FullStats) -> np.ndarray:
    """About 0."""
    return unpacked(stats.scatter) + stats.sums[:, :, None] * stats.means()[:, None, :]


@pytest.mark.parametrize("selected", [False, True])
@pytest.mark.parametrize("weights", ["ones", "random", "negative"])
def test_statistics_are_those_of_the_formulas(selected: bool, weights: str) -> None:
    feats = random_frames(FRAMES, DIM)
    share = np.ones(FRAMES, np.float32) if weights == "ones" else np.random.default_rng(3).random(FRAMES, np.float32)
    if weights == "negative":
        share = share - np.float32(0.5)
    selection = no_ranges() if selected else None
    given = (feats, None if weights == "ones" else share, selection)
    full, diag = full_accumulator(), diag_accumulator()
    likes, occupancy, sums, products = slow_statistics(random_moments(SIZE, DIM), feats, share, selection or ALL)
    np.testing.assert_allclose(full.add(*given), likes, rtol=1e-5)
    found = full.stats()
    np.testing.assert_allclose(found.occupancy, occupancy, **CLOSE)
    np.testing.assert_allclose(found.sums, sums, **CLOSE)
    np.testing.assert_allclose(second_moments(found), products, **CLOSE)

    likes, occupancy, sums, products = slow_statistics(diagonal_moments(), feats, share, selection or ALL)
    np.testing.assert_allclose(diag.add(*given), likes, rtol=1e-5)
    of_diag = diag.stats()
    np.testing.assert_allclose(of_diag.occupancy, occupancy, **CLOSE)
    np.testing.assert_allclose(of_diag.sums, sums, **CLOSE)
    np.testing.assert_allclose(of_diag.squares, np.diagonal(products, axis1=1, axis2=2), **CLOSE)


@pytest.mark.parametrize("make", [diag_accumulator, full_accumulator])
def test_parts_add_up_to_the_whole(make: Any) -> None:
    feats, whole, parts = random_frames(FRAMES, DIM), make(), []
    whole.add(feats)
    for part in (feats[:7], feats[7:8], feats[8:]):
        parts.append(make())
        parts[-1].add(part)
    total = parts[0].stats().plus(parts[1].stats()).plus(parts[2].stats())
    for mine, theirs in zip(vars(total).values(), vars(whole.stats()).values(), strict=True):
        np.testing.assert_allclose(mine, theirs, **CLOSE)


@pytest.mark.parametrize("selected", [False, True])
def test_blocks_of_frames_do_not_change_the_statistics(selected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    feats, weights = random_frames(FRAMES, DIM), np.random.default_rng(4).random(FRAMES, np.float32)
    given = (feats, weights, random_selection(FRAMES, SIZE) if selected else None)
    whole, parts = full_accumulator(), full_accumulator()
    likes = whole.add(*given)
    monkeypatch.setattr(full_stats, "_MOST_PAIRS", 40)  # 6 frames of all Gaussians
    assert np.array_equal(parts.add(*given), likes)
    np.testing.assert_allclose(parts.stats().scatter, whole.stats().scatter, **CLOSE)


def test_threads_do_not_change_the_statistics() -> None:
    feats = random_frames(1 << 16, DIM)
    one, two = diag_accumulator(), diag_accumulator()
    weights, selection = np.ones(len(feats), np.float32), None
    assert np.array_equal(one.add(feats, weights, selection, 1), two.add(feats, weights, selection, 3))
    assert np.array_equal(one.stats().squares, two.stats().squares)


def test_second_moments_far_from_zero_are_precise() -> None:
    """Deviations of 1 about 1,000: float32 products about 0 would be wrong by a few per cent."""
    weights, means, covars = random_moments(SIZE, DIM)
    feats = (random_frames(FRAMES, DIM).astype(np.float64) + 1000).astype(np.float32)
    accumulator = FullAccumulator(FullScorer(full_gmm_of_moments(weights, means + 1000, covars)), MVW)
    accumulator.add(feats)
    found = accumulator.stats()
    # Shifted frames under a shifted model; 1,000 in float32 is exact to 6e-5.
    _, occupancy, sums, products = slow_statistics(
        (weights, means, covars), feats - np.float32(1000), np.ones(FRAMES, np.float32), ALL
    )
    expected = products - sums[:, :, None] * sums[:, None, :] / occupancy[:, None, None]
    np.testing.assert_allclose(unpacked(found.scatter), expected, atol=2e-2)


def dump(holder: Holder[Any], value: object, binary: bool) -> bytes:
    stream = io.BytesIO()
    holder.write(stream, value, binary)
    return stream.getvalue()


def load(holder: Holder[Any], data: bytes) -> Any:
    return holder.read(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", ["mvw", "mw", "w"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("holder", "make"), [(DIAG_STATS, diag_accumulator), (FULL_STATS, full_accumulator)])
def test_statistics_survive_files(holder: Holder[Any], make: Any, binary: bool, flags: str) -> None:
    accumulator = make(parse_flags(flags))
    accumulator.add(random_frames(FRAMES, DIM))
    stats = accumulator.stats()
    found = load(holder, dump(holder, stats, binary))
    assert found.header == stats.header == (DIM, SIZE, parse_flags(flags))
    for mine, theirs in zip(vars(found).values(), vars(stats).values(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-6)  # float32, or seven digits


@pytest.mark.parametrize(("holder", "make"), [(DIAG_STATS, diag_accumulator), (FULL_STATS, full_accumulator)])
def test_statistics_that_are_cut_anywhere_are_refused(holder: Holder[Any], make: Any) -> None:
    accumulator = make()
    accumulator.add(random_frames(FRAMES, DIM))
    data = dump(holder, accumulator.stats(), True)
    for cut in range(0, len(data) - 1, 9):
        with pytest.raises(KaldiError):
            load(holder, data[:cut])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<GMMACCS> <VECSIZE> 0 <NUMCOMPONENTS> 1 <FLAGS> 7 ", "not of a mixture"),
        ("<GMMACCS> <VECSIZE> 1 <NUMCOMPONENTS> 1 <FLAGS> 7 <OCCUPANCY>  [ 1 2 ]\n</GMMACCS> ", "<OCCUPANCY> has"),
        ("<GMMACCS> <VECSIZE> 1 <NUMCOMPONENTS> 1 <FLAGS> 7 <MEANACCS>  [\n 1 2 ]\n</GMMACCS> ", "<MEANACCS> has"),
        ("<GMMACCS> <VECSIZE> 1 <NUMCOMPONENTS> 1 <FLAGS> 7 <OTHER> ", "unexpected token"),
        ("<GMMACCS> <VECSIZE> 1 <NUMCOMPONENTS> 1 <FLAGS> 7 <OCCUPANCY>  [ 1 ]\n</GMMACCS> ", "<MEANACCS> and <DIAG"),
        ("<DiagGMM> ", "expected the token <GMMACCS>"),
    ],
)
def test_what_is_no_statistics_is_refused(text: str, found: str) -> None:
    with pytest.raises(KaldiError, match=found):
        load(DIAG_STATS, text.encode())


def test_statistics_of_other_sizes_or_flags_are_not_added() -> None:
    one = DiagStats(MVW, 2, np.ones(3), np.ones((3, 2)), np.ones((3, 2)))
    other = DiagStats(GmmFlags.WEIGHTS, 2, np.ones(3), np.zeros((0, 0)), np.zeros((0, 0)))
    with pytest.raises(KaldiError, match="cannot add statistics of 3 Gaussians of 2 dimensions with the flags w"):
        one.plus(other)
    with pytest.raises(KaldiError, match="4 Gaussians"):
        one.plus(DiagStats(MVW, 2, np.ones(4), np.ones((4, 2)), np.ones((4, 2))))


def test_flags_by_letters(caplog: pytest.LogCaptureFixture) -> None:
    assert parse_flags("mvw") == 7 and parse_flags("a") == GmmFlags.ALL and flag_letters(GmmFlags(7)) == "mvw"
    assert needed_flags(parse_flags("v")) == parse_flags("mvw") and needed_flags(parse_flags("m")) == parse_flags("mw")
    assert needed_flags(GmmFlags(0)) == GmmFlags.WEIGHTS and "empty flags" in caplog.text
    with pytest.raises(KaldiError, match="found 'x'"):
        parse_flags("mx")
    with pytest.raises(KaldiError, match="accumulated for mw"):
        check_flags(parse_flags("v"), parse_flags("mw"))
