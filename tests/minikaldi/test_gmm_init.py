"""A diagonal mixture from frames in memory: the sample, the start, the growth."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.diag_init import FrameSample, InitSteps, gmm_of_random_frames, train_from_frames
from minikaldi.gmm.low_counts import CountLimits
from tests.minikaldi.helpers.slow_mixtures import random_frames

LIMITS = CountLimits(1e-5, 1.0, True)


def test_few_frames_are_all_kept_in_their_order() -> None:
    sample, feats = FrameSample(50, np.random.default_rng(0)), random_frames(30, 3)
    for start in (0, 10, 20):
        sample.add(f"u{start}", feats[start : start + 10])
    sample.add("empty", np.zeros((0, 0), np.float32))
    assert np.array_equal(sample.frames(), feats) and sample.num_read == 30


def test_every_frame_has_the_same_chance_to_be_kept() -> None:
    """Frame i is kept with probability 1/4; over 400 draws its count has a deviation of 8.7."""
    counts = np.zeros(40)
    for seed in range(400):
        sample = FrameSample(10, np.random.default_rng(seed))
        for start in range(0, 40, 8):
            sample.add("u", np.arange(start, start + 8, dtype=np.float32)[:, None])
        assert sample.frames().shape == (10, 1)
        counts += np.bincount(sample.frames()[:, 0].astype(int), minlength=40)
    assert (np.abs(counts - 100) < 5 * 8.7).all()
    # The first frames, which are put into the sample at once, and the last ones alike: 10 and 32 of them.
    assert abs(counts[:10].mean() - 100) < 10 and abs(counts[10:].mean() - 100) < 6


def test_another_dimension_is_refused_by_its_utterance() -> None:
    sample = FrameSample(10, np.random.default_rng(0))
    sample.add("a", random_frames(3, 3))
    with pytest.raises(KaldiError, match="b: the features have 4 dimensions, those before 3"):
        sample.add("b", random_frames(3, 4))


def test_the_start_has_frames_as_means_and_the_variance_of_all() -> None:
    feats = random_frames(100, 3) * np.float32(2) + np.float32(50)
    gmm = gmm_of_random_frames(feats, 5, np.random.default_rng(0))
    distances = np.abs(gmm.means()[:, None] - feats[None]).max(axis=2)
    assert (distances.min(axis=1) < 1e-4).all() and len(set(distances.argmin(axis=1))) == 5
    np.testing.assert_allclose(gmm.variances(), np.tile(feats.astype(np.float64).var(axis=0), (5, 1)), rtol=1e-4)
    assert gmm.weights.tolist() == pytest.approx([0.2] * 5)


def test_too_few_or_constant_frames_are_refused() -> None:
    with pytest.raises(KaldiError, match="found 49, expected 10 for each of 5"):
        gmm_of_random_frames(random_frames(49, 3), 5, np.random.default_rng(0))
    one_constant = random_frames(100, 3)
    one_constant[:, 1] = 7
    with pytest.raises(KaldiError, match=r"dimension 1 .* has the same value, 7, in all 100 frames"):
        gmm_of_random_frames(one_constant, 5, np.random.default_rng(0))
    with pytest.raises(KaldiError, match="positive variance"):
        gmm_of_random_frames(np.ones((100, 3), np.float32), 5, np.random.default_rng(0))


def test_two_clusters_are_found_from_one_gaussian() -> None:
    centres = np.array([[0, 0], [20, 10]])
    feats = (random_frames(400, 2).reshape(2, 200, 2) + centres[:, None]).reshape(-1, 2).astype(np.float32)
    gmm = train_from_frames(feats, InitSteps(2, 1, 20, 1), LIMITS, 0.001, np.random.default_rng(0), lambda line: None)
    np.testing.assert_allclose(gmm.means()[gmm.means()[:, 0].argsort()], centres, atol=0.5)  # seven deviations
    np.testing.assert_allclose(gmm.weights, 0.5, atol=1e-3)


@pytest.mark.parametrize("num_gauss_init", [1, 2, 4])
def test_the_mixture_grows_and_reports_each_iteration(num_gauss_init: int) -> None:
    lines: list[str] = []
    steps = InitSteps(4, num_gauss_init, 20, 2)
    gmm = train_from_frames(random_frames(800, 2), steps, LIMITS, 0.001, np.random.default_rng(3), lines.append)
    likes = [float(line.split()[7]) for line in lines if line.startswith("Likelihood per frame")]
    assert len(likes) == 20 and likes[-1] > likes[0]
    assert lines[0].startswith("Likelihood per frame on iteration 0 was -")
    assert lines[0].endswith(" over 800 frames.")
    assert lines[1].startswith("Objective-function change on iteration 0 was ")
    splits = [int(line.split()[2]) for line in lines if line.startswith("Splitting to ")]
    assert (splits, gmm.num_gauss) == (list(range(num_gauss_init + 1, 5)), 4)
