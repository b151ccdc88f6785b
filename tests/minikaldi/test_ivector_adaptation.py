"""Claims about unsupervised PLDA adaptation: the same as explicit sums over the directions of excess variance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from common.errors import KaldiError
from minikaldi.io import read_object, write_object
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.plda import Plda, plda_of_covariances
from minikaldi.ivector.plda_adaptation import AdaptationOptions, adapt_plda
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.ivector_tables import run, write_vectors

DIM = 4


def drawn_model(seed: int = 0) -> Plda:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(2, DIM, DIM))
    return plda_of_covariances(
        rng.normal(size=DIM), factors[0] @ factors[0].T + np.eye(DIM), factors[1] @ factors[1].T + 0.1 * np.eye(DIM)
    )


def drawn_vectors(num_vectors: int = 50, seed: int = 1) -> np.ndarray:
    """Vectors that vary far more than the model expects along some directions, and less along others."""
    rng = np.random.default_rng(seed)
    return 2.0 + rng.normal(size=(num_vectors, DIM)) * [9.0, 0.2, 3.0, 1.0] @ rng.normal(size=(DIM, DIM))


def moments_of(vectors: np.ndarray) -> Moments:
    moments = Moments(vectors.shape[1])
    moments.add(vectors)
    return moments


def slow_adaptation(plda: Plda, vectors: np.ndarray, options: AdaptationOptions) -> tuple[np.ndarray, np.ndarray]:
    """Adapted within- and between-speaker covariance: for each direction v with v' (W + B) v = 1 along which the data's
    variance e exceeds 1, the outer product of (W + B) v times e - 1 is shared out."""
    within, between = plda.covariances()
    model_total = within + between
    mean = sum(vectors) / len(vectors)
    data_total = sum(np.outer(vector - mean, vector - mean) for vector in vectors) / len(vectors)
    data_total = data_total + options.mean_diff_scale * np.outer(mean - plda.mean, mean - plda.mean)
    for variance, direction in zip(*_pairs(scipy.linalg.eigh(data_total, model_total)), strict=True):
        if variance > 1.0:
            excess = (variance - 1.0) * np.outer(model_total @ direction, model_total @ direction)
            within = within + options.within_covar_scale * excess
            between = between + options.between_covar_scale * excess
    return within, between


def _pairs(solution: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return solution[0], solution[1].T


@pytest.mark.parametrize(
    "options",
    [
        AdaptationOptions(),
        AdaptationOptions(within_covar_scale=0.0),
        AdaptationOptions(between_covar_scale=0.0),
        AdaptationOptions(within_covar_scale=2.0, between_covar_scale=0.1),
        AdaptationOptions(mean_diff_scale=0.0),
        AdaptationOptions(mean_diff_scale=30.0),
    ],
    ids=str,
)
def test_adapted_covariances_equal_the_explicit_sums(options: AdaptationOptions) -> None:
    plda, vectors = drawn_model(), drawn_vectors()
    adapted = adapt_plda(plda, moments_of(vectors), options)
    # The same numbers by another chain of float64 operations on well-conditioned matrices.
    np.testing.assert_allclose(
        adapted.plda.covariances(), slow_adaptation(plda, vectors, options), rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(adapted.plda.mean, vectors.mean(axis=0))
    np.testing.assert_allclose(adapted.within + adapted.between, 1.0)
    assert (adapted.eigenvalues > 1.0).any() and (adapted.eigenvalues < 1.0).any()


def test_data_that_vary_as_the_model_expects_change_nothing_but_the_mean() -> None:
    plda = drawn_model()
    within, between = plda.covariances()
    # 2 D points whose covariance is exactly half the model's.
    root = np.linalg.cholesky(within + between) * np.sqrt(DIM / 2.0)
    vectors = np.concatenate([plda.mean + root.T, plda.mean - root.T])
    adapted = adapt_plda(plda, moments_of(vectors), AdaptationOptions())
    np.testing.assert_allclose(adapted.eigenvalues, 0.5)
    np.testing.assert_allclose(adapted.plda.covariances(), (within, between), atol=1e-10)


def test_adaptation_by_hand_in_one_dimension() -> None:
    # Total variance 4, of it 1 within: the data have 16 + 2 * 9, 7.5 times too much beyond it.
    plda = Plda(np.array([1.0]), np.array([[1.0]]), np.array([3.0]))
    options = AdaptationOptions(within_covar_scale=0.2, between_covar_scale=0.6, mean_diff_scale=2.0)
    adapted = adapt_plda(plda, moments_of(np.array([[0.0], [8.0]])), options)
    within, between = adapted.plda.covariances()
    assert adapted.eigenvalues[0] == pytest.approx(8.5)
    assert (within[0, 0], between[0, 0]) == (pytest.approx(1.0 + 0.2 * 30.0), pytest.approx(3.0 + 0.6 * 30.0))
    assert adapted.plda.mean[0] == 4.0


@pytest.mark.parametrize("num_vectors", [1, 2, 3])
def test_fewer_vectors_than_dimensions_adapt_the_directions_that_they_span(num_vectors: int) -> None:
    plda, vectors = drawn_model(), drawn_vectors(num_vectors)
    adapted = adapt_plda(plda, moments_of(vectors), AdaptationOptions())
    expected = slow_adaptation(plda, vectors, AdaptationOptions())
    np.testing.assert_allclose(adapted.plda.covariances(), expected, rtol=1e-8, atol=1e-8)


def test_vectors_of_another_dimension_are_refused() -> None:
    with pytest.raises(KaldiError, match="the vectors have 3 dimensions, the PLDA model 4"):
        adapt_plda(drawn_model(), moments_of(np.eye(3)), AdaptationOptions())


def test_shares_that_leave_no_covariance_are_refused() -> None:
    with pytest.raises(KaldiError, match="not be negative"):
        adapt_plda(drawn_model(), moments_of(drawn_vectors()), AdaptationOptions(mean_diff_scale=-1.0))
    with pytest.raises(KaldiError, match="singular"):
        adapt_plda(drawn_model(), moments_of(drawn_vectors()), AdaptationOptions(within_covar_scale=-9.0))


def test_the_command_adapts_writes_text_and_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plda, vectors = drawn_model(), drawn_vectors()
    write_object(str(tmp_path / "plda"), PLDA, plda)
    table = write_vectors(tmp_path / "v.ark", {f"u{n}": vector for n, vector in enumerate(vectors)})
    options = "--within-covar-scale=0.4", "--between-covar-scale=0.2", "--mean-diff-scale=0.5", "--binary=false"
    assert run("ivector-adapt-plda", *options, tmp_path / "plda", table, tmp_path / "out")[0] == 0
    assert (tmp_path / "out").read_text().startswith("<Plda>  [ ")
    expected = slow_adaptation(plda, vectors, AdaptationOptions(0.4, 0.2, 0.5))
    # The vectors were rounded to float32, the text to seven digits.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(read_object(str(tmp_path / "out"), PLDA).covariances(), expected, atol=1e-5 * scale)
    said = capsys.readouterr().err
    assert said.count("'th eigenvalue, value is ") == DIM
    assert "Old diagonal of between-class covar was:  [ " in said


@pytest.mark.parametrize(
    ("vectors", "complaint"),
    [
        ({}, "v.ark: No iVectors read"),
        ({"a": [1, 2, 3]}, "v.ark: the vectors have 3 dimensions, the PLDA model 4"),
        ({"a": [1, 2, 3, 4], "b": [1, 2]}, "v.ark: b: vector has 2 dimensions, those before 4"),
        ({"a": [1, 2, 3, 4], "b": [1, np.nan, 3, 4]}, "v.ark: b: vector holds NaN"),
    ],
)
def test_the_command_refuses(
    tmp_path: Path, vectors: dict[str, list[float]], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_object(str(tmp_path / "plda"), PLDA, drawn_model())
    table = write_vectors(tmp_path / "v.ark", vectors)
    assert run("ivector-adapt-plda", tmp_path / "plda", table, tmp_path / "out")[0] == 255
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
