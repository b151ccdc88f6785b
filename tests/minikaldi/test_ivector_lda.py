"""Claims about LDA, affine transforms and lengths."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.ivector.lda import SpeakerScatter, compute_lda
from minikaldi.ivector.vectors import apply_transform, length_ratios, orient_rows, paired_products


def scatter_of(vectors: np.ndarray, speakers: np.ndarray, block: int = 1000) -> SpeakerScatter:
    scatter = SpeakerScatter(vectors.shape[1])
    for start in range(0, len(vectors), block):
        scatter.add(vectors[start : start + block], speakers[start : start + block])
    return scatter


def drawn(num_speakers: int = 12, dim: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of speakers with 1 to 6 utterances, all far from the origin."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), rng.integers(1, 7, size=num_speakers))
    means = 3.0 * rng.normal(size=(num_speakers, dim))
    return 50.0 + means[speakers] + rng.normal(size=(len(speakers), dim)) @ rng.normal(size=(dim, dim)), speakers


def slow_covariances(vectors: np.ndarray, speakers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Within- and between-speaker covariance, one vector at a time."""
    dim, grand = vectors.shape[1], vectors.mean(axis=0)
    within, between = np.zeros((dim, dim)), np.zeros((dim, dim))
    for vector, speaker in zip(vectors, speakers, strict=True):
        mean = vectors[speakers == speaker].mean(axis=0)
        within += np.outer(vector - mean, vector - mean)
        between += np.outer(mean - grand, mean - grand)
    return within / len(vectors), between / len(vectors)


def test_lda_by_hand() -> None:
    # Two speakers at (±2, 0), within-speaker variance 1 along x and 4 along y, none between along y.
    offsets = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    speaker_mean = np.array([2.0, 0.0])
    vectors = np.vstack([offsets + speaker_mean, offsets - speaker_mean])
    result = compute_lda(scatter_of(vectors, np.repeat([0, 1], 4)), dim=2)
    np.testing.assert_allclose(result.eigenvalues, [4.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(result.transform), [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]], atol=1e-12)


def test_scatter_does_not_depend_on_the_blocks_and_equals_the_slow_sum() -> None:
    vectors, speakers = drawn()
    total, between = scatter_of(vectors, speakers).covariances()
    in_blocks = scatter_of(vectors, speakers, block=3).covariances()
    within_slow, between_slow = slow_covariances(vectors, speakers)
    # float64 sums of numbers near 50: 1e-10 is far above their rounding.
    np.testing.assert_allclose(total - between, within_slow, atol=1e-10)
    np.testing.assert_allclose(between, between_slow, atol=1e-10)
    np.testing.assert_allclose(in_blocks, (total, between), atol=1e-10)


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
def test_lda_makes_the_mixed_covariance_unit_and_the_between_covariance_diagonal(factor: float) -> None:
    vectors, speakers = drawn()
    result = compute_lda(scatter_of(vectors, speakers), dim=3, total_covariance_factor=factor)
    projected = apply_transform(result.transform, vectors)
    within, between = slow_covariances(projected, speakers)
    np.testing.assert_allclose(within + factor * between, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(between, np.diag(result.eigenvalues[:3]), atol=1e-9)
    np.testing.assert_allclose(projected.mean(axis=0), 0.0, atol=1e-9)
    assert list(result.eigenvalues) == sorted(result.eigenvalues, reverse=True)


def test_lda_does_not_depend_on_a_shift_or_on_the_speakers_numbers() -> None:
    vectors, speakers = drawn()
    first = compute_lda(scatter_of(vectors, speakers), dim=4).transform
    other = compute_lda(scatter_of(vectors - 50.0, 30 - speakers), dim=4).transform
    np.testing.assert_allclose(apply_transform(first, vectors), apply_transform(other, vectors - 50.0), atol=1e-8)


def test_a_direction_without_variance_is_floored_and_counted() -> None:
    vectors, speakers = drawn()
    vectors[:, 4] = 7.0
    result = compute_lda(scatter_of(vectors, speakers), dim=4)
    assert result.num_floored == 1
    assert np.isfinite(result.transform).all()


@pytest.mark.parametrize("dim", [0, 6])
def test_a_dimension_out_of_range_is_refused(dim: int) -> None:
    with pytest.raises(KaldiError, match=f"--dim={dim} is out of range: the vectors have 5 dimensions"):
        compute_lda(scatter_of(*drawn()), dim=dim)


def test_one_utterance_per_speaker_is_refused() -> None:
    with pytest.raises(KaldiError, match="two or more different utterances"):
        compute_lda(scatter_of(np.eye(4), np.arange(4)), dim=2)


def test_a_nan_is_refused() -> None:
    vectors, speakers = drawn()
    vectors[3, 2] = np.nan
    with pytest.raises(KaldiError, match="not finite"):
        compute_lda(scatter_of(vectors, speakers), dim=2)


def test_transforms_are_linear_or_affine_by_their_columns() -> None:
    vectors = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert apply_transform(np.array([[1.0, 1.0]]), vectors).tolist() == [[3.0], [7.0]]
    assert apply_transform(np.array([[1.0, 1.0, 10.0]]), vectors).tolist() == [[13.0], [17.0]]
    assert apply_transform(np.array([[1.0, 1.0, 10.0]]), vectors[0]).tolist() == [13.0]


def test_a_transform_of_another_dimension_is_refused() -> None:
    with pytest.raises(KaldiError, match="input vector has dimension 2 and transform has 4 columns"):
        apply_transform(np.ones((1, 4)), np.ones(2))


def test_length_ratios_by_hand() -> None:
    vectors = np.array([[3.0, 0.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert length_ratios(vectors).tolist() == [2.5, 0.0]
    assert length_ratios(vectors, scale_up=False).tolist() == [5.0, 0.0]


def test_paired_products_cross_their_blocks() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    rows, columns = rng.integers(7, size=2500), rng.integers(5, size=2500)
    np.testing.assert_allclose(paired_products(left, right, rows, columns), (left @ right.T)[rows, columns], atol=1e-12)


def test_oriented_rows_have_a_positive_largest_entry() -> None:
    assert orient_rows(np.array([[1.0, -3.0], [2.0, -1.0]])).tolist() == [[-1.0, 3.0], [2.0, -1.0]]
