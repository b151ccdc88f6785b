"""Claims about principal components and est-pca."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import DOUBLE_MATRIX, FLOAT_MATRIX, read_object, writer
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.pca import Pca, compute_pca
from tests.minikaldi.helpers.ivector_tables import run, write_vectors


def pca_of(vectors: np.ndarray) -> Pca:
    moments = Moments(vectors.shape[1])
    moments.add(vectors)
    return compute_pca(moments)


def drawn(num_vectors: int = 200, dim: int = 5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 30.0 + rng.normal(size=(num_vectors, dim)) @ rng.normal(size=(dim, dim))


def write_frames(path: Path, utts: dict[str, np.ndarray]) -> str:
    with writer(f"ark:{path}", FLOAT_MATRIX) as table:
        for key, frames in utts.items():
            table.write(key, frames)
    return f"ark:{path}"


def slow_transform(vectors: np.ndarray, normalize_mean: bool, normalize_variance: bool) -> np.ndarray:
    """PCA by singular values of the centred vectors."""
    mean = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd((vectors - mean) / np.sqrt(len(vectors)))
    if normalize_variance:
        directions = directions / lengths[:, None]
    return np.column_stack([directions, -directions @ mean]) if normalize_mean else directions


def assert_equal_up_to_signs(ours: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    """Rows equal or opposite, within `rtol` of the largest value."""
    signs = np.sign((ours * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours * signs, expected, atol=rtol * np.abs(expected).max())


def test_components_by_hand() -> None:
    pca = pca_of(np.array([[1.0, 1.0], [3.0, 3.0], [1.0, 3.0], [3.0, 1.0], [5.0, 5.0], [-1.0, -1.0]]))
    assert_equal_up_to_signs(pca.directions, np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2), 1e-12)
    np.testing.assert_allclose(pca.variances, [40.0 / 6.0, 4.0 / 6.0], atol=1e-12)
    np.testing.assert_allclose(pca.mean, [2.0, 2.0])


def test_moments_do_not_depend_on_the_blocks() -> None:
    vectors = drawn()
    moments = Moments(5)
    for start in range(0, 200, 7):
        moments.add(vectors[start : start + 7])
    np.testing.assert_allclose(moments.mean(), vectors.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(), np.cov(vectors.T, bias=True), rtol=1e-10)


@pytest.mark.parametrize("normalize_mean", [False, True])
@pytest.mark.parametrize("normalize_variance", [False, True])
def test_transform_equals_the_singular_vectors_and_normalises_as_asked(
    normalize_mean: bool, normalize_variance: bool
) -> None:
    vectors = drawn()
    transform = pca_of(vectors).transform(normalize_mean, normalize_variance)
    assert_equal_up_to_signs(transform, slow_transform(vectors, normalize_mean, normalize_variance), 1e-10)


@pytest.mark.parametrize("target", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_leading_components_are_one_more_than_the_energy_needs(target: float) -> None:
    pca = pca_of(drawn())
    rows = pca.leading(target)
    needed = next(n for n in range(1, 6) if pca.variances[:n].sum() / pca.variances.sum() > target)
    np.testing.assert_array_equal(rows, pca.directions[: min(needed + 1, 5)])


def test_leading_components_stay_where_the_vectors_vary() -> None:
    assert pca_of(drawn(num_vectors=3)).leading(0.99).shape == (2, 5)
    assert pca_of(drawn(num_vectors=2)).leading(0.1).shape == (1, 5)


@pytest.mark.parametrize("num_vectors", [1, 7])
def test_vectors_that_do_not_vary_have_no_leading_components(num_vectors: int) -> None:
    with pytest.raises(KaldiError, match="do not vary"):
        pca_of(np.tile(drawn(num_vectors=1), (num_vectors, 1)) / 3.0).leading(0.5)


@pytest.mark.parametrize("read_vectors", [False, True])
def test_the_command_writes_a_part_and_the_whole(tmp_path: Path, read_vectors: bool) -> None:
    vectors = drawn(num_vectors=2100).astype(np.float32)  # more than two blocks
    if read_vectors:
        table = write_vectors(tmp_path / "in.ark", {f"u{n}": vector for n, vector in enumerate(vectors)})
    else:
        table = write_frames(tmp_path / "in.ark", {"a": vectors[:100], "b": vectors[100:110], "c": vectors[110:]})
    options = [
        "--dim=2",
        "--normalize-mean=true",
        "--normalize-variance=true",
        f"--read-vectors={read_vectors}".lower(),
    ]
    assert run("est-pca", *options, f"--write-full-matrix={tmp_path / 'full'}", table, tmp_path / "part")[0] == 0
    full = read_object(str(tmp_path / "full"), DOUBLE_MATRIX)
    expected = slow_transform(vectors.astype(np.float64), True, True)
    assert_equal_up_to_signs(full, expected, 1e-6)  # written as float32
    np.testing.assert_array_equal(read_object(str(tmp_path / "part"), DOUBLE_MATRIX), full[:2])


def test_without_options_the_command_writes_a_rotation_in_binary_and_on_demand_text(tmp_path: Path) -> None:
    table = write_frames(tmp_path / "in.ark", {"a": drawn()})
    assert run("est-pca", table, tmp_path / "out")[0] == 0
    assert (tmp_path / "out").read_bytes().startswith(b"\0BFM ")
    rotation = read_object(str(tmp_path / "out"), DOUBLE_MATRIX)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(5), atol=1e-6)
    assert run("est-pca", "--binary=false", table, tmp_path / "text")[0] == 0
    np.testing.assert_allclose(read_object(str(tmp_path / "text"), DOUBLE_MATRIX), rotation, atol=1e-6)


def test_a_constant_dimension_is_said_and_its_variance_kept_from_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = np.column_stack([np.arange(10.0), np.full(10, 3.0)])
    table = write_frames(tmp_path / "in.ark", {"a": frames})
    assert run("est-pca", "--normalize-variance=true", table, tmp_path / "out")[0] == 0
    assert "1 variances below 1e-15 are treated as that" in capsys.readouterr().err
    assert np.isfinite(read_object(str(tmp_path / "out"), DOUBLE_MATRIX)).all()


def test_entries_that_are_empty_or_of_another_dimension_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = drawn()
    utts = {"empty": np.zeros((0, 0)), "good": good, "narrow": good[:, :3]}
    assert run("est-pca", write_frames(tmp_path / "in.ark", utts), tmp_path / "out")[0] == 0
    said = capsys.readouterr().err
    assert "Accumulated stats from 1 feature files, 2 with errors; 200 frames." in said
    assert "narrow: feature dimension mismatch 5 vs. 3" in said and "empty: empty feature matrix" in said
    vectors = write_vectors(tmp_path / "v.ark", {"a": [1, 2], "b": [3, 4], "c": [5], "d": []})
    assert run("est-pca", "--read-vectors=true", vectors, tmp_path / "out")[0] == 0
    assert "Accumulated stats from 2 vectors, 2 with errors." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "utts", "complaint"),
    [
        ([], {}, "in.ark: No data accumulated."),
        (["--dim=3"], {"a": np.eye(2)}, "--dim=3 is out of range"),
        ([], {"a": np.eye(2), "b": np.full((1, 2), np.inf)}, "in.ark: b: vector holds NaN or infinity"),
    ],
)
def test_the_command_refuses(
    tmp_path: Path,
    options: list[str],
    utts: dict[str, np.ndarray],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("est-pca", *options, write_frames(tmp_path / "in.ark", utts), tmp_path / "out")[0] == 255
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
