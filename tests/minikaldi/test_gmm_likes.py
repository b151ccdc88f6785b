"""Log-likelihoods, the best Gaussians and shares, against the formulas frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.diag_gmm import diag_gmm_of_moments
from minikaldi.gmm.diag_likes import DiagScorer, best_of_rows
from minikaldi.gmm.full_gmm import full_gmm_of_moments
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.pruning import pruned
from minikaldi.gmm.selection import (
    GaussPairs,
    check_selection,
    frame_starts,
    softmax_by_frame,
    taken_for_ranges,
)
from minikaldi.io import FrameIndices
from tests.minikaldi.helpers.slow_mixtures import (
    random_diag,
    random_frames,
    random_moments,
    random_selection,
    slow_log_like,
)

SIZE, DIM, FRAMES = 7, 5, 40


def pairs_of(lists: list[list[int]], num_gauss: int = SIZE) -> GaussPairs:
    counts = np.array([len(each) for each in lists], np.int32)
    return GaussPairs(FrameIndices(counts, np.array([g for each in lists for g in each], np.int32)), num_gauss)


def test_diagonal_log_likelihoods_are_those_of_the_formula() -> None:
    weights, means, covars = random_moments(SIZE, DIM)
    means += 30  # far from 0: the shift must keep float32 precise
    diagonals = covars * np.eye(DIM)
    feats = random_frames(FRAMES, DIM) + np.float32(30)
    scorer = DiagScorer(diag_gmm_of_moments(weights, means, np.diagonal(covars, axis1=1, axis2=2)))
    expected = [[slow_log_like(x, weights[g], means[g], diagonals[g]) for g in range(SIZE)] for x in feats]
    # The parameters are float32: 1e-7 of terms that are up to 1e4 here.
    np.testing.assert_allclose(scorer.log_likes(feats), expected, atol=5e-3)


def test_full_log_likelihoods_of_pairs_are_those_of_the_formula() -> None:
    moments = random_moments(SIZE, DIM)
    feats, selection = random_frames(FRAMES, DIM), random_selection(FRAMES, SIZE)
    pairs = GaussPairs(selection, SIZE)
    found = FullScorer(full_gmm_of_moments(*moments)).pair_log_likes(feats, pairs)
    expected = [
        slow_log_like(feats[frame], *(part[gauss] for part in moments))
        for frame, gauss in zip(pairs.frames, selection.indices, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-4)  # float32 parameters


def test_many_frames_of_one_gaussian_are_as_few() -> None:
    """More than are taken together."""
    moments = random_moments(2, DIM)
    feats = random_frames(1300, DIM)
    scorer = FullScorer(full_gmm_of_moments(*moments))
    found = scorer.pair_log_likes(feats, GaussPairs(FrameIndices(np.ones(1300, "i4"), np.ones(1300, "i4")), 2))
    some = [0, 511, 512, 1299]
    expected = [slow_log_like(feats[frame], *(part[1] for part in moments)) for frame in some]
    np.testing.assert_allclose(found[some], expected, atol=1e-4)


def test_the_best_of_rows_by_hand() -> None:
    values = np.array([[1, 5, 3, 4], [-1, -5, -3, -np.inf], [0.0, -0.0, -1, 2]], np.float32)
    columns, best = best_of_rows(values, 2)
    assert columns.tolist() == [[1, 3], [0, 2], [3, 0]]
    assert best.tolist() == [[5, 4], [-1, -3], [2, 0]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_equal_values_the_larger_column_comes_first(count: int) -> None:
    columns, _ = best_of_rows(np.array([[7, 2, 7, 7], [1, 2, 3, 4]], np.float32), count)
    assert columns.tolist() == [[3, 2, 0, 1][:count], [3, 2, 1, 0][:count]]


@pytest.mark.parametrize(("width", "count"), [(1, 1), (30, 7), (300, 20), (40, 40)])
def test_the_best_of_rows_are_those_of_a_sort(width: int, count: int) -> None:
    values = np.random.default_rng(width).standard_normal((50, width)).astype(np.float32)
    columns, best = best_of_rows(values, count)
    assert np.array_equal(best, -np.sort(-values, axis=1)[:, :count])
    assert np.array_equal(np.take_along_axis(values, columns, axis=1), best)


def test_likelihoods_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(KaldiError, match="not numbers"):
        best_of_rows(np.array([[1, np.nan, np.nan]], np.float32), 2)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("row", [[np.nan, 0, 1, 2], [np.nan, 5, 5, 5], [0, 1, 2, np.nan]])
def test_a_frame_that_is_not_a_number_is_refused_beside_a_row_of_ties(row: list[float], count: int) -> None:
    with pytest.raises(KaldiError, match="frame 8 are not numbers"):
        best_of_rows(np.array([[5, 5, 5, 5], row], np.float32), count, first_frame=7)


def test_likelihoods_of_candidates_that_are_not_numbers_are_refused() -> None:
    scorer = DiagScorer(random_diag(5, 3))
    feats = random_frames(4, 3)
    feats[2] = np.nan
    with pytest.raises(KaldiError, match="frame 2 are not numbers"):
        scorer.select_among(feats, FrameIndices(np.full(4, 2, np.int32), np.tile(np.int32([3, 0]), 4)), 1)


def test_selection_sums_the_likelihoods_of_what_it_selects() -> None:
    scorer, feats = DiagScorer(random_diag(SIZE, DIM)), random_frames(FRAMES, DIM)
    all_likes = scorer.log_likes(feats)
    selection, likes = scorer.select(feats, 3)
    rows = selection.indices.reshape(FRAMES, 3)
    expected = np.logaddexp.reduce(np.take_along_axis(all_likes, rows, axis=1).astype(np.float64), axis=1)
    np.testing.assert_allclose(likes, expected, rtol=1e-6)
    assert np.array_equal(rows, np.argsort(-all_likes, axis=1, kind="stable")[:, :3])


def test_selection_among_candidates_takes_the_best_of_them_alone() -> None:
    scorer, feats = DiagScorer(random_diag(SIZE, DIM)), random_frames(3, DIM)
    likes = scorer.log_likes(feats)
    candidates = FrameIndices(np.array([3, 1, 3], np.int32), np.array([4, 0, 2, 5, 1, 6, 3], np.int32))
    found, totals = scorer.select_among(feats, candidates, 2)
    rows = [[4, 0, 2], [5], [1, 6, 3]]
    expected = [sorted(row, key=lambda g, frame=frame: -likes[frame, g])[:2] for frame, row in enumerate(rows)]
    assert found.counts.tolist() == [2, 1, 2]
    assert found.indices.tolist() == [g for row in expected for g in row]
    sums = [np.logaddexp.reduce(likes[frame, row].astype(np.float64)) for frame, row in enumerate(expected)]
    np.testing.assert_allclose(totals, sums, rtol=1e-6)


def test_a_list_that_kaldi_takes_for_a_range_is_one_here() -> None:
    """2 4 0 5: its last is its first plus three, so Kaldi computes 2 3 4 5."""
    pairs = pairs_of([[2, 4, 0, 5], [2, 4, 0, 6], [3]])
    assert taken_for_ranges(pairs.selection, pairs.starts).tolist() == [2, 3, 4, 5, 2, 4, 0, 6, 3]


@pytest.mark.parametrize("lists", [[[0, 1], [2, 3]], [[0], [1, 2, 3]]])
def test_shares_are_a_softmax_by_frame(lists: list[list[int]]) -> None:
    log_likes = np.array([0, np.log(3), -1000, -1000], np.float32)
    likes, shares = softmax_by_frame(log_likes.copy(), pairs_of(lists))
    if len(lists[0]) == 2:
        np.testing.assert_allclose(shares, [0.25, 0.75, 0.5, 0.5], rtol=1e-6)
        np.testing.assert_allclose(likes, [np.log(4), -1000 + np.log(2)], rtol=1e-6)
    else:
        np.testing.assert_allclose(shares, [1, 1, 0, 0], atol=1e-30)
        np.testing.assert_allclose(likes, [0, np.log(3)], rtol=1e-6)


def test_small_shares_are_left_out_and_the_rest_has_the_sum_1() -> None:
    pairs = pairs_of([[0, 1, 2], [3, 4]])
    shares = np.array([0.7, 0.02, 0.28, 1, 0], np.float32)
    found = pruned(shares, pairs, 0.025)
    assert (found.counts.tolist(), found.indices.tolist()) == ([2, 1], [0, 2, 3])
    np.testing.assert_allclose(found.shares, [0.7 / 0.98, 0.28 / 0.98, 1], rtol=1e-6)
    everything = pruned(shares, pairs, 0.0)
    assert (everything.counts.tolist(), everything.shares.tolist()) == ([3, 1], shares[:4].tolist())


def test_a_frame_without_a_large_share_keeps_its_largest() -> None:
    found = pruned(np.array([0.3, 0.4, 0.3], np.float32), pairs_of([[5, 6, 1]]), 0.5)
    assert (found.counts.tolist(), found.indices.tolist(), found.shares.tolist()) == ([1], [6], [1.0])


def test_a_selection_that_the_model_does_not_have_is_refused_by_utterance_and_frame() -> None:
    with pytest.raises(KaldiError, match="utt-a: frame 1 selects Gaussian 7, but the model has 7"):
        check_selection("utt-a", pairs_of([[1], [2, 7]]).selection, 7)
    with pytest.raises(KaldiError, match="utt-a: frame 0 selects Gaussian -1"):
        check_selection("utt-a", pairs_of([[-1]]).selection, 7)
    with pytest.raises(KaldiError, match="utt-a: frame 2 has no selected Gaussian"):
        check_selection("utt-a", pairs_of([[1], [2], []]).selection, 7)


def test_pairs_are_ordered_by_gaussian_and_then_by_frame() -> None:
    pairs = pairs_of([[3, 1], [1], [0, 3]])
    assert pairs.by_gauss.tolist() == [3, 1, 2, 0, 4]
    assert [(gauss, end - first) for gauss, first, end in pairs.groups] == [(0, 1), (1, 2), (3, 2)]
    assert (pairs.width, pairs_of([[1, 2], [0, 3]]).width) == (0, 2)
    assert frame_starts(pairs.selection).tolist() == [0, 2, 3, 5]
