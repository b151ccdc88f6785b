"""Claims about cosine scores and the baseline's embeddings, as functions and as programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from scoring.cosine import cosine_scores, unit_length
from scoring.embeddings import EmbeddingTable
from scoring.frame_statistics import frame_statistics
from scoring.pairs import PairList
from scoring.trials import Trials, write_scores


def program(root: Path, name: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"scoring.{name}", *map(str, args)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def write_text_ark(path: Path, vectors: dict[str, list[float]]) -> str:
    path.write_text("".join(f"{key}  [ {' '.join(map(str, vector))} ]\n" for key, vector in vectors.items()))
    return f"ark:{path}"


def test_cosine_by_hand() -> None:
    table = EmbeddingTable(["a", "b", "c"], np.array([[3.0, 0.0], [1.0, 1.0], [0.0, -2.0]]))
    pairs = PairList.of([("a", "b"), ("a", "c"), ("b", "c"), ("a", "a")])
    trials = Trials(pairs, np.array([False, False, False, True]))
    expected = [np.sqrt(0.5), 0.0, -np.sqrt(0.5), 1.0]
    np.testing.assert_allclose(cosine_scores(trials, table, table), expected, atol=1e-12)


def test_cosine_equals_the_product_written_out_with_mean_and_transform() -> None:
    rng = np.random.default_rng(0)
    enroll, test = (EmbeddingTable([f"u{i}" for i in range(9)], rng.normal(size=(9, 4))) for _ in range(2))
    mean, transform = rng.normal(size=4), rng.normal(size=(3, 5))
    trials = Trials(PairList.of([(f"u{i}", f"u{j}") for i in range(9) for j in range(9)]), np.zeros(81, dtype=bool))
    expected = []
    for i in range(9):
        for j in range(9):
            pair = enroll.vectors[i], test.vectors[j]
            left, right = (transform[:, :4] @ (vector - mean) + transform[:, 4] for vector in pair)
            expected.append(left @ right / np.sqrt((left @ left) * (right @ right)))
    np.testing.assert_allclose(cosine_scores(trials, enroll, test, mean, transform), expected, atol=1e-12)


def test_cosine_does_not_depend_on_length_and_a_zero_vector_scores_zero() -> None:
    vectors = np.array([[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(unit_length(vectors), unit_length(7.0 * vectors), atol=1e-15)
    assert unit_length(vectors)[1].tolist() == [0.0, 0.0]


def test_a_mean_of_another_dimension_is_refused() -> None:
    with pytest.raises(InputError, match="the mean has 3 dimensions, the embeddings 2"):
        unit_length(np.ones((1, 2)), np.zeros(3))


def test_the_cosine_program_writes_scores_in_the_order_of_the_trials(root: Path, tmp_path: Path) -> None:
    enroll = write_text_ark(tmp_path / "enroll", {"a": [1, 0], "b": [0, 3]})
    test = write_text_ark(tmp_path / "test", {"x": [0, 1], "y": [2, 0]})
    (tmp_path / "mean").write_text(" [ 0 0 ]\n")
    (tmp_path / "trials").write_text("b y nontarget\na y target\nb x target\n")
    scores = tmp_path / "scores"
    done = program(root, "cosine", "--mean", tmp_path / "mean", enroll, test, tmp_path / "trials", scores)
    assert done.returncode == 0, done.stderr
    assert scores.read_text() == "b y 0\na y 1\nb x 1\n"


@pytest.mark.parametrize(
    ("vectors", "complaint"),
    [
        ({"a": [1, 0], "b": [float("nan"), 1]}, "b: embedding holds NaN or infinity"),
        ({"a": [1, 0]}, "1 ids of the trial list have no embedding (first: b)"),
        ({"a": [1, 0], "b": [1, 0, 0]}, "b: embedding has 3 dimensions, those before 2"),
    ],
)
def test_the_cosine_program_refuses_by_utterance(
    root: Path, tmp_path: Path, vectors: dict[str, list[float]], complaint: str
) -> None:
    table = write_text_ark(tmp_path / "v", vectors)
    (tmp_path / "trials").write_text("a a target\na b nontarget\n")
    done = program(root, "cosine", table, table, tmp_path / "trials", tmp_path / "scores")
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "scores").exists()


def test_frame_statistics_by_hand() -> None:
    values = frame_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    # The constant feature has the floor's root, 1e-5, as its deviation.
    np.testing.assert_allclose(values, [2.0, 5.0, 1.0, 1e-5], rtol=1e-6)
    assert values.dtype == np.float32


def test_frame_statistics_of_one_frame_are_finite() -> None:
    np.testing.assert_allclose(frame_statistics(np.array([[4.0]])), [4.0, 1e-5], rtol=1e-6)


def test_frame_statistics_do_not_depend_on_the_order_of_frames() -> None:
    feats = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(frame_statistics(feats), frame_statistics(feats[::-1]), rtol=1e-6)


@pytest.mark.parametrize(("feats", "complaint"), [(np.zeros((0, 3)), "no frames"), (np.full((2, 1), np.nan), "NaN")])
def test_frame_statistics_refuse(feats: np.ndarray, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        frame_statistics(feats)


def test_the_baseline_program_drops_and_counts_utterances_without_frames(root: Path, tmp_path: Path) -> None:
    (tmp_path / "feats").write_text("a  [\n  1 2 \n  3 2 ]\nb  [ ]\n")
    done = program(root, "frame_statistics", f"ark:{tmp_path / 'feats'}", f"ark,t:{tmp_path / 'vectors'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "vectors").read_text() == "a  [ 2 2 1 1e-05 ]\n"
    assert "1 utterances have no frames and are dropped (first: b)" in done.stderr


def test_the_program_normalises_by_a_cohort(root: Path, tmp_path: Path) -> None:
    vectors = {"a": [1.0, 0.5], "b": [0.2, 1.0], "c": [-1.0, 0.3]}
    source = write_text_ark(tmp_path / "vectors", vectors)
    trials, scores, expected = tmp_path / "trials", tmp_path / "scores", tmp_path / "expected"
    trials.write_text("a b target\nb c nontarget\n")
    done = program(root, "cosine", "--cohort", source, "--cohort-top", 2, source, source, trials, scores)
    assert done.returncode == 0, done.stderr
    everybody = EmbeddingTable(list(vectors), np.array(list(vectors.values())))
    listed = Trials(PairList.of([("a", "b"), ("b", "c")]), np.array([True, False]))
    write_scores(expected, listed, cosine_scores(listed, everybody, everybody, cohort=everybody, cohort_top=2))
    # the archive holds float32: 7 digits
    found = [float(line.split()[2]) for line in scores.read_text().splitlines()]
    np.testing.assert_allclose(found, [float(line.split()[2]) for line in expected.read_text().splitlines()], atol=1e-4)
