"""Claims about agglomerative clustering: the same labels as a naive version of the definition, limits, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, writer
from minikaldi.ivector.clustering import cluster
from tests.minikaldi.helpers.ivector_tables import run


def naive_groups(
    costs: np.ndarray, groups: list[list[int]], threshold: float, min_clusters: int, max_size: int
) -> list[list[int]]:
    """Merge the best pair of a list of groups, oldest first, until none is left: every average is computed again."""
    groups = list(groups)
    while len(groups) > min_clusters:
        candidates = [
            (costs[np.ix_(groups[i], groups[j])].mean(dtype=np.float64), i, j)
            for j in range(len(groups))
            for i in range(j)
            if len(groups[i]) + len(groups[j]) <= max_size
        ]
        if not candidates or min(candidates)[0] > threshold:
            break
        _, i, j = min(candidates)
        groups.append(groups[i] + groups[j])
        del groups[j], groups[i]
    return groups


def naive_labels(
    costs: np.ndarray,
    threshold: float = np.inf,
    min_clusters: int = 1,
    max_size: int = 1 << 30,
    first_pass_max: int = 0,
) -> list[int]:
    """Labels of the definition, in one pass or, with `first_pass_max`, in two."""
    num_points = len(costs)
    groups = [[point] for point in range(num_points)]
    if first_pass_max:
        size = int(np.ceil(num_points / np.ceil(num_points / first_pass_max)))
        subsets = [groups[start : start + size] for start in range(0, num_points, size)]
        firsts = [naive_groups(costs, subset, threshold, 10 * min_clusters, max_size) for subset in subsets]
        groups = [group for first in firsts for group in first]
    labels = np.zeros(num_points, dtype=int)
    for label, group in enumerate(naive_groups(costs, groups, threshold, min_clusters, max_size), 1):
        labels[group] = label
    return labels.tolist()


def distances(num_points: int, num_speakers: int, seed: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N, N) of points about the corners of a cube, and the corner of each."""
    rng = np.random.default_rng(seed)
    corners = 10.0 * np.array([[c >> 2 & 1, c >> 1 & 1, c & 1] for c in range(8)])
    speakers = rng.integers(num_speakers, size=num_points)
    points = corners[speakers] + spread * rng.normal(size=(num_points, 3))
    return np.linalg.norm(points[:, None] - points, axis=2).astype(np.float32), speakers


def tied(num_points: int, num_values: int, seed: int) -> np.ndarray:
    """Costs of few different values, so that most choices are between equals; averages are quotients of small numbers,
    which float32 keeps apart, or equal, as float64 does."""
    costs = np.random.default_rng(seed).integers(num_values, size=(num_points, num_points))
    return np.maximum(costs, costs.T).astype(np.float32)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def test_clusters_by_hand() -> None:
    # 1 and 2 merge at 1, then 3 joins at (4 + 3) / 2; the fourth would cost (9 + 8 + 7) / 3 = 8.
    points = np.array([0.0, 9.0, 1.0, 4.0])
    costs = np.abs(points[:, None] - points).astype(np.float32)
    assert cluster(costs, threshold=0.9).tolist() == [1, 2, 3, 4]
    assert cluster(costs, threshold=1.0).tolist() == [3, 1, 3, 2]
    assert cluster(costs, threshold=3.5).tolist() == [2, 1, 2, 2]
    assert cluster(costs, threshold=6.9).tolist() == [2, 1, 2, 2]
    assert cluster(costs, min_clusters=2).tolist() == [2, 1, 2, 2]
    assert cluster(costs).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [1.0, 3.0, 12.0])
def test_labels_under_a_threshold_equal_the_naive_ones(seed: int, threshold: float) -> None:
    costs, _ = distances(24, 5, seed, spread=2.0)
    assert cluster(costs, threshold=threshold).tolist() == naive_labels(costs, threshold=threshold)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("min_clusters", [1, 4, 23, 24, 25])
def test_labels_of_a_given_number_equal_the_naive_ones(seed: int, min_clusters: int) -> None:
    costs, _ = distances(24, 5, seed, spread=5.0)
    assert cluster(costs, min_clusters=min_clusters).tolist() == naive_labels(costs, min_clusters=min_clusters)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_values", [1, 2, 5])
def test_equal_costs_are_settled_as_in_the_naive_version(seed: int, num_values: int) -> None:
    costs = tied(20, num_values, seed)
    assert cluster(costs, min_clusters=3).tolist() == naive_labels(costs, min_clusters=3)
    assert cluster(costs, threshold=0.75).tolist() == naive_labels(costs, threshold=0.75)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.2, 0.5])
def test_no_cluster_exceeds_its_share_and_labels_equal_the_naive_ones(seed: int, fraction: float) -> None:
    costs, _ = distances(24, 3, seed, spread=3.0)
    max_size = int(np.ceil(24 * fraction))
    labels = cluster(costs, max_fraction=fraction)
    assert labels.tolist() == naive_labels(costs, max_size=max_size)
    assert np.bincount(labels).max() <= max(max_size, 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("first_pass_max", "min_clusters"), [(24, 1), (16, 1), (7, 2)])
def test_two_passes_equal_the_naive_two_passes(seed: int, first_pass_max: int, min_clusters: int) -> None:
    costs, _ = distances(47, 6, seed, spread=4.0)
    expected = naive_labels(costs, min_clusters=min_clusters, first_pass_max=first_pass_max)
    assert cluster(costs, min_clusters=min_clusters, first_pass_max=first_pass_max).tolist() == expected
    expected = naive_labels(costs, threshold=6.0, first_pass_max=first_pass_max)
    assert cluster(costs, threshold=6.0, first_pass_max=first_pass_max).tolist() == expected


def test_two_passes_find_well_separated_speakers_as_one_does() -> None:
    costs, speakers = distances(100, 8, 0, spread=0.5)
    for first_pass_max in (100, 30, 11):
        labels = cluster(costs, threshold=5.0, first_pass_max=first_pass_max)
        assert partition(labels) == partition(speakers)


def test_clusters_do_not_depend_on_the_order_of_the_points() -> None:
    costs, _ = distances(60, 6, 1, spread=4.0)
    order = np.random.default_rng(2).permutation(60)
    shuffled = cluster(costs[np.ix_(order, order)], min_clusters=6)
    back = np.empty(60, dtype=int)
    back[order] = shuffled
    assert partition(back) == partition(cluster(costs, min_clusters=6))


def test_the_upper_triangle_decides_and_the_matrix_is_not_changed() -> None:
    costs, _ = distances(300, 8, 3, spread=4.0)  # more than one tile of the mirror
    upper = np.triu(costs, 1) + np.tril(np.full_like(costs, -5.0))
    before = upper.copy()
    assert cluster(upper, threshold=6.0).tolist() == cluster(costs, threshold=6.0).tolist()
    np.testing.assert_array_equal(upper, before)


def test_one_point_is_one_cluster() -> None:
    assert cluster(np.zeros((1, 1), dtype=np.float32)).tolist() == [1]


@pytest.mark.parametrize(
    ("costs", "complaint"),
    [
        (np.zeros((2, 3)), r"the matrix of scores is \(2, 3\)"),
        (np.zeros((0, 0)), r"the matrix of scores is \(0, 0\)"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), "the score of row 1, column 0 is nan"),
    ],
)
def test_no_square_matrix_of_numbers_is_refused(costs: np.ndarray, complaint: str) -> None:
    with pytest.raises(KaldiError, match=complaint):
        cluster(costs.astype(np.float32))


class Recordings:
    """Two recordings of five and four utterances: their scores, their reco2utt, and what the command says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.utts = {"r1": [f"r1-{n}" for n in range(5)], "r2": [f"r2-{n}" for n in range(4)]}
        self.costs = {"r1": distances(5, 2, 0)[0], "r2": distances(4, 3, 1)[0]}
        self.write_scores({key: 8.0 - costs for key, costs in self.costs.items()})
        (folder / "reco2utt").write_text("".join(f"{key} {' '.join(utts)}\n" for key, utts in self.utts.items()))

    def write_scores(self, scores: dict[str, np.ndarray]) -> None:
        with writer(f"ark:{self.folder / 'scores.ark'}", FLOAT_MATRIX) as table:
            for key, matrix in scores.items():
                table.write(key, matrix)

    def run(self, *options: str) -> tuple[int, dict[str, int]]:
        tables = f"ark:{self.folder / 'scores.ark'}", f"ark:{self.folder / 'reco2utt'}"
        code, text = run("agglomerative-cluster", *options, *tables, "ark,t:-")
        return code, {utt: int(label) for utt, label in (line.split() for line in text.decode().splitlines())}

    def labels(self, found: dict[str, int], reco_id: str) -> list[int]:
        return [found[utt_id] for utt_id in self.utts[reco_id]]


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path)


def test_scores_above_the_threshold_merge_and_costs_below_it(recordings: Recordings) -> None:
    code, by_score = recordings.run("--threshold=3")
    assert code == 0 and list(by_score) == [*recordings.utts["r1"], *recordings.utts["r2"]]
    recordings.write_scores(recordings.costs)
    _, by_cost = recordings.run("--threshold=5", "--read-costs=true")
    assert by_score == by_cost
    for reco_id, costs in recordings.costs.items():
        assert recordings.labels(by_cost, reco_id) == naive_labels(costs, threshold=5.0)


def test_a_given_number_of_speakers_replaces_the_threshold(recordings: Recordings) -> None:
    (recordings.folder / "reco2num").write_text("r1 2\nr2 4\n")
    option = f"--reco2num-spk-rspecifier=ark:{recordings.folder / 'reco2num'}"
    _, found = recordings.run(option, "--threshold=1000")
    assert recordings.labels(found, "r1") == naive_labels(recordings.costs["r1"], min_clusters=2)
    assert recordings.labels(found, "r2") == [1, 2, 3, 4]


def test_the_largest_share_counts_only_with_a_number_of_speakers_that_it_can_hold(recordings: Recordings) -> None:
    (recordings.folder / "reco2num").write_text("r1 2\nr2 1\n")
    option = f"--reco2num-spk-rspecifier=ark:{recordings.folder / 'reco2num'}"
    _, found = recordings.run(option, "--max-spk-fraction=0.6")
    assert recordings.labels(found, "r1") == naive_labels(recordings.costs["r1"], min_clusters=2, max_size=3)
    assert recordings.labels(found, "r2") == [1, 1, 1, 1]  # one speaker has more than 0.6 of them
    _, found = recordings.run("--threshold=-1000", "--max-spk-fraction=0.6")
    assert recordings.labels(found, "r1") == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("reco2utt", "complaint"),
    [
        ("r1 a b c d e\n", "the key r2 is not there"),
        ("r1 a b c d\nr2 a b c d\n", "recording r1 has 4 utterances, its matrix of scores 5 rows"),
        ("r1\nr2 a b c d\n", "recording r1 has 0 utterances"),
        ("r1 a b c d a\nr2 a b c d\n", "recording r1: the utterance a is there twice"),
    ],
)
def test_a_reco2utt_that_does_not_fit_is_refused_by_file_and_recording(
    recordings: Recordings, reco2utt: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings.folder / "reco2utt").write_text(reco2utt)
    assert recordings.run()[0] == 255
    said = capsys.readouterr().err
    assert complaint in said and str(recordings.folder / "reco2utt") in said


@pytest.mark.parametrize(
    ("reco2num", "complaint"),
    [("r2 1\n", "the key r1 is not there"), ("r1 0\nr2 1\n", "recording r1: found 0 speakers")],
)
def test_a_missing_or_impossible_number_of_speakers_is_refused(
    recordings: Recordings, reco2num: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings.folder / "reco2num").write_text(reco2num)
    assert recordings.run(f"--reco2num-spk-rspecifier=ark:{recordings.folder / 'reco2num'}")[0] == 255
    assert complaint in capsys.readouterr().err


def test_bad_scores_are_refused_by_recording(recordings: Recordings, capsys: pytest.CaptureFixture[str]) -> None:
    recordings.write_scores({"r1": np.full((5, 5), np.nan)})
    assert recordings.run()[0] == 255
    assert "recording r1: the score of row 0, column 0 is" in capsys.readouterr().err
    assert recordings.run("--first-pass-max-utterances=0")[0] == 255


def test_no_recordings_are_no_error_as_in_kaldi(recordings: Recordings) -> None:
    recordings.write_scores({})
    assert recordings.run() == (0, {})
