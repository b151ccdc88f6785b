"""Claims about ivector-plda-scoring-dense: the ratio of Gaussian densities in the recording's own components."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from minikaldi.io import DOUBLE_MATRIX, sequential, write_object
from minikaldi.ivector.plda import Plda, plda_of_covariances
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.ivector_tables import run, write_vectors

DIM = 6


@pytest.fixture
def model(tmp_path: Path) -> Plda:
    """A model, also in the file `plda`."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2, DIM, DIM))
    plda = plda_of_covariances(rng.normal(size=DIM), factors[0] @ factors[0].T + np.eye(DIM), factors[1] @ factors[1].T)
    write_object(str(tmp_path / "plda"), PLDA, plda)
    return plda


def drawn(num_vectors: int, seed: int = 1) -> np.ndarray:
    """Vectors as float32 holds them, with variances that fall from dimension to dimension."""
    rng = np.random.default_rng(seed)
    return (1.0 + rng.normal(size=(num_vectors, DIM)) * 2.0 ** -np.arange(DIM)).astype(np.float32).astype(np.float64)


def score(folder: Path, recordings: dict[str, np.ndarray], *options: str) -> tuple[int, dict[str, np.ndarray]]:
    vectors = {f"{reco}-{n}": row for reco, rows in recordings.items() for n, row in enumerate(rows)}
    lines = (f"{reco} {' '.join(f'{reco}-{n}' for n in range(len(rows)))}\n" for reco, rows in recordings.items())
    (folder / "reco2utt").write_text("".join(lines))
    tables = f"ark:{folder / 'reco2utt'}", write_vectors(folder / "v.ark", vectors), f"ark:{folder / 'scores.ark'}"
    code, _ = run("ivector-plda-scoring-dense", *options, folder / "plda", *tables)
    return code, dict(sequential(f"ark:{folder / 'scores.ark'}", DOUBLE_MATRIX)) if code == 0 else {}


def slow_scores(plda: Plda, vectors: np.ndarray, energy: float, normalize: str) -> np.ndarray:
    """Scores of all pairs, each a ratio of Gaussian densities, in the components that singular values give."""
    offsets = (vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors))
    _, lengths, directions = np.linalg.svd(offsets)
    shares = np.cumsum(lengths**2) / (lengths @ lengths)
    needed = next(n for n, share in enumerate(shares, 1) if share > energy) if energy < 1.0 else DIM
    projection = directions[: needed + 1] if energy < 1.0 else np.eye(DIM)
    dim = len(projection)
    within, between = (projection @ covariance @ projection.T for covariance in plda.covariances())
    centred = (vectors - plda.mean) @ projection.T
    if normalize == "full":
        factors = [np.sqrt(dim / (row @ np.linalg.solve(within + between, row))) for row in centred]
        centred = centred * np.array(factors)[:, None]
    elif normalize == "simple":
        factors = [np.sqrt(dim / (row @ np.linalg.solve(within, row))) for row in centred]
        centred = centred * np.array(factors)[:, None]
    apart = np.kron(np.eye(2), within + between)
    together = apart + np.kron(np.array([[0.0, 1.0], [1.0, 0.0]]), between)
    scores = np.empty((len(vectors), len(vectors)))
    for i, one in enumerate(centred):
        for j, other in enumerate(centred):
            pair = np.concatenate([one, other])
            scores[i, j] = multivariate_normal.logpdf(pair, cov=together) - multivariate_normal.logpdf(pair, cov=apart)
    return scores


@pytest.mark.parametrize("energy", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(
    ("normalize", "options"),
    [
        ("full", []),
        ("simple", ["--simple-length-normalization=true"]),
        ("none", ["--normalize-length=false"]),
        ("none", ["--normalize-length=false", "--simple-length-normalization=true"]),
    ],
)
def test_scores_equal_ratios_of_densities_in_the_recordings_components(
    tmp_path: Path, model: Plda, energy: float, normalize: str, options: list[str]
) -> None:
    recordings = {"r1": drawn(8), "r2": drawn(20, seed=2)}
    code, scores = score(tmp_path, recordings, f"--target-energy={energy}", *options)
    assert code == 0 and list(scores) == ["r1", "r2"]
    for reco_id, vectors in recordings.items():
        expected = slow_scores(model, vectors, energy, normalize)
        np.testing.assert_allclose(scores[reco_id], expected, atol=1e-6 * np.abs(expected).max())  # float32 output


def test_half_of_the_energy_is_the_default(tmp_path: Path, model: Plda) -> None:
    recordings = {"r": drawn(12)}
    assert (
        score(tmp_path, recordings)[1]["r"].tolist()
        == score(tmp_path, recordings, "--target-energy=0.5")[1]["r"].tolist()
    )


def test_a_recording_does_not_depend_on_the_others(tmp_path: Path, model: Plda) -> None:
    one, other = drawn(8), 5.0 + drawn(9, seed=3)
    together = score(tmp_path, {"r1": one, "r2": other})[1]
    assert together["r2"].tolist() == score(tmp_path, {"r2": other})[1]["r2"].tolist()


@pytest.mark.parametrize("vectors", [drawn(1), np.tile(drawn(1), (3, 1))])
def test_a_recording_without_variance_is_scored_in_all_dimensions_and_said(
    tmp_path: Path, model: Plda, vectors: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    code, scores = score(tmp_path, {"r": vectors})
    assert code == 0
    whole = np.vstack([vectors, drawn(10)])  # some variance, for the singular values
    expected = slow_scores(model, whole, 1.0, "full")[: len(vectors), : len(vectors)]
    np.testing.assert_allclose(scores["r"], expected, atol=1e-5)
    assert "Unable to compute conversation dependent PCA for recording r" in capsys.readouterr().err


@pytest.mark.parametrize("num_vectors", [2, 3, 5])
def test_fewer_vectors_than_dimensions_give_finite_symmetric_scores(
    tmp_path: Path, model: Plda, num_vectors: int
) -> None:
    code, scores = score(tmp_path, {"r": drawn(num_vectors)}, "--target-energy=0.95")
    assert code == 0 and np.isfinite(scores["r"]).all()
    np.testing.assert_allclose(scores["r"], scores["r"].T, atol=1e-5)


def test_a_recording_without_utterances_is_left_out_and_all_of_them_are_a_failure(
    tmp_path: Path, model: Plda, capsys: pytest.CaptureFixture[str]
) -> None:
    code, scores = score(tmp_path, {"r1": np.zeros((0, DIM)), "r2": drawn(4)})
    assert (code, list(scores)) == (0, ["r2"])
    assert "Processed 1 recordings, 1 had errors." in capsys.readouterr().err
    assert score(tmp_path, {"r1": np.zeros((0, DIM))})[0] == 1
    assert "Not producing output for recording r1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("vectors", "reco2utt", "options", "complaint"),
    [
        ({"a": np.ones(DIM)}, "r a b\n", [], "v.ark: No iVector present in input for utterance b of recording r"),
        ({"a": np.ones(2)}, "r a\n", [], "reco2utt: recording r: the vectors have 2 dimensions, the PLDA model 6"),
        ({"a": np.ones(DIM), "b": np.ones(2)}, "r a b\n", [], "v.ark: b: vector has 2 dimensions, a 6"),
        ({"a": np.full(DIM, np.nan)}, "r a\n", [], "v.ark: a: vector holds NaN"),
        ({}, "", ["--target-energy=1.1"], "--target-energy=1.1 is out of range"),
    ],
)
def test_bad_input_is_refused_by_table_and_key(
    tmp_path: Path,
    model: Plda,
    vectors: dict[str, np.ndarray],
    reco2utt: str,
    options: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "reco2utt").write_text(reco2utt)
    tables = f"ark:{tmp_path / 'reco2utt'}", write_vectors(tmp_path / "v.ark", vectors), f"ark:{tmp_path / 's.ark'}"
    assert run("ivector-plda-scoring-dense", *options, tmp_path / "plda", *tables)[0] == 255
    assert complaint in capsys.readouterr().err
