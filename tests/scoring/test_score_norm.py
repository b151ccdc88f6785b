"""Claims about adaptive symmetric score normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import InputError
from scoring.cosine import cosine_scores, unit_length
from scoring.embeddings import EmbeddingTable
from scoring.pairs import PairList
from scoring.score_norm import ROWS, cohort_statistics
from scoring.trials import Trials

RNG = np.random.default_rng(3)


def table(prefix: str, number: int, dim: int = 5) -> EmbeddingTable:
    return EmbeddingTable([f"{prefix}{index}" for index in range(number)], RNG.normal(size=(number, dim)))


def test_statistics_by_hand() -> None:
    cohort = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    mean, deviation = cohort_statistics(np.array([[1.0, 0.0], [0.0, 1.0]]), cohort, 2)
    np.testing.assert_allclose(mean, [0.5, 0.5], atol=1e-15)  # of 1 and 0, the nearest two
    np.testing.assert_allclose(deviation, [0.5, 0.5], atol=1e-15)
    mean, deviation = cohort_statistics(np.array([[1.0, 0.0]]), cohort, 300)
    np.testing.assert_allclose(mean, [0.0], atol=1e-15)
    np.testing.assert_allclose(deviation, [np.sqrt(2 / 3)])


@pytest.mark.parametrize("top", [2, 7, 300])
def test_normalised_scores_equal_the_slow_loop(top: int) -> None:
    enroll, test, cohort, mean = table("e", 6), table("t", 8), table("c", 20), RNG.normal(size=5)
    trials = Trials(PairList.of([(f"e{i}", f"t{j}") for i in range(6) for j in range(8)]), np.zeros(48, dtype=bool))
    found = cosine_scores(trials, enroll, test, mean, cohort=cohort, cohort_top=top)

    def cosine(x: np.ndarray, y: np.ndarray) -> float:
        x, y = x - mean, y - mean
        return float(x @ y / np.sqrt((x @ x) * (y @ y)))

    for score, (enroll_id, test_id) in zip(found, trials.pairs, strict=True):
        sides = enroll.vectors[enroll.row[enroll_id]], test.vectors[test.row[test_id]]
        expected = 0.0
        for side in sides:
            against = sorted((cosine(side, stranger) for stranger in cohort.vectors), reverse=True)[:top]
            expected += 0.5 * (cosine(*sides) - np.mean(against)) / np.std(against)
        assert score == pytest.approx(expected, abs=1e-9)  # float64 sums in another order


def test_each_side_scores_zero_on_average_against_the_cohort_itself() -> None:
    enroll, cohort = table("e", 6), table("c", 30)
    left, strangers = unit_length(enroll.vectors), unit_length(cohort.vectors)
    mean, deviation = cohort_statistics(left, strangers, 30)
    own = (left @ strangers.T - mean[:, None]) / deviation[:, None]
    np.testing.assert_allclose(own.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(own.std(axis=1), 1, atol=1e-12)


def test_blocks_of_rows_change_nothing() -> None:
    vectors, cohort = unit_length(RNG.normal(size=(ROWS + 3, 4))), unit_length(RNG.normal(size=(9, 4)))
    whole = cohort_statistics(vectors, cohort, 5)
    for row in (0, ROWS - 1, ROWS, ROWS + 2):
        one = cohort_statistics(vectors[row : row + 1], cohort, 5)
        np.testing.assert_allclose([whole[0][row], whole[1][row]], [one[0][0], one[1][0]], atol=1e-12)


def test_a_zero_vector_gets_a_finite_score() -> None:
    enroll = EmbeddingTable(["a", "b"], np.array([[0.0, 0.0], [1.0, 2.0]]))
    trials = Trials(PairList.of([("a", "b")]), np.array([False]))
    assert np.isfinite(cosine_scores(trials, enroll, enroll, cohort=table("c", 4, 2))).all()


def test_a_cohort_that_cannot_serve_is_refused() -> None:
    vectors = np.eye(2)
    with pytest.raises(InputError, match="1 members, 300 nearest ones count; normalisation needs 2 or more"):
        cohort_statistics(vectors, np.eye(2)[:1], 300)
    with pytest.raises(InputError, match="1 nearest ones count"):
        cohort_statistics(vectors, np.eye(2), 1)
    with pytest.raises(InputError, match="has 3 dimensions, the embeddings 2"):
        cohort_statistics(vectors, np.eye(3), 300)
