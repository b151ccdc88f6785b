"""Which systems a run scores: its own embeddings, normalised ones, baselines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object, sequential

from .conftest import Place, Recipe


def vectors(folder: object) -> dict[str, np.ndarray]:
    with sequential(f"scp:{folder}/embedding.scp", FLOAT_VECTOR) as table:
        return dict(table)


@pytest.mark.slow
def test_normalised_embeddings_are_a_system_of_their_own(recipe: Recipe, finished: Place) -> None:
    done = recipe(*finished.options(normalised="true", lda_dim="3"))
    assert "stage 8/12: embeddings -> normalised embeddings" in done.stderr and "stage 6/12" not in done.stderr
    own, normalised = (vectors(folder / "embeddings_test") for folder in (finished.exp, finished.exp / "normalised"))
    training = np.stack(list(vectors(finished.exp / "embeddings_train").values()))
    lda = np.asarray(read_object(str(finished.exp / "normalised/normalisation/transform.mat"), FLOAT_MATRIX))
    assert lda.shape[0] == 3 and list(own) == list(normalised)
    for utt_id, vector in own.items():
        linear, offset = lda[:, : len(vector)], lda[:, len(vector) :].sum(axis=1)
        expected = linear @ (vector - training.mean(axis=0)) + offset
        expected *= np.sqrt(3) / np.linalg.norm(expected)  # Kaldi scales to the square root of the dimension
        np.testing.assert_allclose(normalised[utt_id], expected, atol=2e-5)  # float32 files
    results = json.loads((finished.exp / "results.json").read_text())["test_sets"]["test"]["results"]
    names = list(dict.fromkeys(each["name"] for each in results))
    assert names == ["small", "smallᴺ", "MFCC statistics", "MFCC statistics, CMVN"] and len(results) == 16
    again = recipe(*finished.options(normalised="true", lda_dim="2"))
    assert "option lda_dim was 3, is 2" in again.stderr
    assert not (finished.exp / "normalised/normalisation/plda").exists()


@pytest.mark.slow
def test_without_baselines_only_the_networks_embeddings_are_scored(recipe: Recipe, finished: Place) -> None:
    recipe(*finished.options("--exp", f"{finished.exp}-alone", baselines="false"))
    alone = finished.exp.with_name("small-alone")
    assert not (alone / "baseline").exists()
    results = json.loads((alone / "results.json").read_text())["test_sets"]["test"]["results"]
    assert {each["name"] for each in results} == {"small-alone"} and len(results) == 4
