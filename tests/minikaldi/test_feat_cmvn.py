"""Mean and variance normalisation from statistics: numbers, compute-cmvn-stats, apply-cmvn."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import DOUBLE_MATRIX, FLOAT_MATRIX, FLOAT_VECTOR, compressed_matrix, read_object, write_object
from minikaldi.transform.cmvn import apply_cmvn, cmvn_stats, without_dims
from tests.minikaldi.helpers.running import make_table, random_feats, run, table

FEATS = {"a": random_feats(20, 3, 1), "b": random_feats(5, 3, 2), "c": random_feats(1, 3, 3)}


@pytest.fixture(autouse=True)
def in_folder_with_feats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_table("ark:feats.ark", FEATS)


def slow_stats(feats: np.ndarray, weights: list[float]) -> np.ndarray:
    """Frame by frame, value by value."""
    stats = np.zeros((2, feats.shape[1] + 1))
    for t in range(len(feats)):
        stats[0, -1] += weights[t]
        for d in range(feats.shape[1]):
            stats[0, d] += weights[t] * float(feats[t, d])
            stats[1, d] += weights[t] * float(feats[t, d]) ** 2
    return stats


def test_statistics_of_two_frames_by_hand() -> None:
    stats = cmvn_stats(np.float32([[1, 2], [3, -4]]))
    np.testing.assert_array_equal(stats, [[4, -2, 2], [10, 20, 0]])


@given(st.integers(0, 8), st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_statistics_equal_sums_value_by_value(num_frames: int, dim: int, weighted: bool) -> None:
    feats = random_feats(num_frames, dim, num_frames)
    weights = np.random.default_rng(dim).random(num_frames).astype(np.float32) if weighted else None
    expected = slow_stats(feats, [1.0] * num_frames if weights is None else weights.astype(float).tolist())
    np.testing.assert_allclose(cmvn_stats(feats, weights), expected, rtol=1e-12)  # float64, another order of sums


def test_a_frame_of_weight_zero_does_not_count_even_if_it_is_not_a_number() -> None:
    feats = np.float32([[1, 2], [np.nan, np.inf]])
    np.testing.assert_array_equal(cmvn_stats(feats, np.float32([2, 0])), [[2, 4, 2], [2, 8, 0]])


def test_normalised_features_have_mean_zero_and_variance_one_and_back_again() -> None:
    feats = random_feats(200, 4)
    stats = cmvn_stats(feats)
    normalized = apply_cmvn(feats, stats, norm_vars=True)
    # float32 values near 1: a mean of 200 of them is off by 1e-7 and less
    np.testing.assert_allclose(normalized.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(normalized.var(axis=0, dtype=np.float64), 1, atol=1e-5)
    np.testing.assert_allclose(apply_cmvn(normalized, stats, norm_vars=True, reverse=True), feats, atol=2e-6)
    np.testing.assert_allclose(apply_cmvn(feats, stats), feats - feats.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(apply_cmvn(apply_cmvn(feats, stats), stats, reverse=True), feats, atol=1e-6)


def test_a_constant_dimension_is_floored_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    feats = np.float32([[1, 5], [3, 5]])
    with caplog.at_level(logging.WARNING):
        normalized = apply_cmvn(feats, cmvn_stats(feats), norm_vars=True)
    np.testing.assert_allclose(normalized, [[-1, 0], [1, 0]], atol=1e-6)
    assert "dimension 1 from 0 to 1e-20" in caplog.text


def test_skipped_dimensions_stay_as_they_are() -> None:
    feats = random_feats(30, 3)
    stats = without_dims(cmvn_stats(feats), [0, 2])
    normalized = apply_cmvn(feats, stats, norm_vars=True)
    np.testing.assert_array_equal(normalized[:, [0, 2]], feats[:, [0, 2]])
    assert abs(normalized[:, 1].mean()) < 1e-6  # float32


@pytest.mark.parametrize(
    ("stats", "norm_vars", "said"),
    [
        (np.zeros((2, 4)), False, "count 0 frames"),
        (np.full((2, 4), np.nan), False, "count nan frames"),
        (np.ones((2, 3)), False, "2 x 3, the features 2 x 3"),
        (np.ones((3, 4)), False, "3 x 4"),
        (np.ones((1, 4)), True, "no squares"),
        (np.array([[1, 1, np.nan, 2], [1, 1, 1, 0]]), True, "variance of dimension 2"),
    ],
)
def test_statistics_that_do_not_serve_are_refused(stats: np.ndarray, norm_vars: bool, said: str) -> None:
    with pytest.raises(KaldiError, match=said):
        apply_cmvn(np.ones((2, 3), np.float32), stats, norm_vars)


def test_one_row_of_statistics_normalises_means() -> None:
    np.testing.assert_allclose(apply_cmvn(np.float32([[5, 7]]), np.array([[4.0, 8.0, 2.0]])), [[3, 3]])


def test_statistics_by_utterance_are_double_tables() -> None:
    assert run("compute-cmvn-stats", "ark:feats.ark", "ark:stats.ark")[0] == 0
    assert Path("stats.ark").read_bytes().startswith(b"a \0BDM ")
    for key, stats in table("ark:stats.ark", DOUBLE_MATRIX).items():
        np.testing.assert_allclose(stats, cmvn_stats(FEATS[key]), rtol=1e-15)


def test_statistics_by_speaker_are_sums_and_what_is_missing_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    Path("spk2utt").write_text("s1 a gone c\ns2 b\ns3 away\n")
    code, _ = run("compute-cmvn-stats", "--spk2utt=ark:spk2utt", "ark:feats.ark", "ark:stats.ark")
    said = capfd.readouterr().err
    stats = table("ark:stats.ark", DOUBLE_MATRIX)
    assert (code, list(stats)) == (0, ["s1", "s2"])
    np.testing.assert_allclose(stats["s1"], cmvn_stats(np.vstack([FEATS["a"], FEATS["c"]])), rtol=1e-12)
    for part in (
        "Did not find features for utterance gone",
        "No stats accumulated for speaker s3",
        "for 3 utterances; 2 had errors.",
    ):
        assert part in said


def test_statistics_of_all_are_one_float_file(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("compute-cmvn-stats", "ark:feats.ark", "all.mat")[0] == 0
    assert Path("all.mat").read_bytes().startswith(b"\0BFM ")
    expected = cmvn_stats(np.vstack(list(FEATS.values())))
    np.testing.assert_allclose(read_object("all.mat", DOUBLE_MATRIX), expected, rtol=1e-6)  # written as float32
    assert "Wrote global CMVN stats to all.mat" in capfd.readouterr().err
    code, text = run("compute-cmvn-stats", "--binary=false", "ark:feats.ark", "-")
    assert (code, text[:4]) == (0, b" [\n ")


def test_weights_scale_frames_and_an_utterance_without_them_is_counted(capfd: pytest.CaptureFixture[str]) -> None:
    weights = {"a": np.linspace(0, 1, 20, dtype=np.float32), "b": np.ones(4, np.float32)}
    make_table("ark:weights.ark", weights, FLOAT_VECTOR)
    Path("spk2utt").write_text("s1 a b\ns2 c\n")
    argv = ["--weights=ark:weights.ark", "ark:feats.ark"]
    assert run("compute-cmvn-stats", *argv, "ark:stats.ark")[0] == 0
    said = capfd.readouterr().err
    assert "Weights for utterance b have wrong dimension 4 vs. 5" in said
    assert "No weights available for utterance c" in said
    assert "for 1 utterances; 2 had errors." in said
    expected = slow_stats(FEATS["a"], weights["a"].astype(float).tolist())
    assert list(table("ark:stats.ark", DOUBLE_MATRIX)) == ["a"]
    np.testing.assert_allclose(table("ark:stats.ark", DOUBLE_MATRIX)["a"], expected, rtol=1e-12)
    # by speaker and of all, an utterance without weights adds nothing
    run("compute-cmvn-stats", "--spk2utt=ark:spk2utt", *argv, "ark:stats.ark")
    by_speaker = table("ark:stats.ark", DOUBLE_MATRIX)
    np.testing.assert_allclose(by_speaker["s1"], expected, rtol=1e-12)
    assert not by_speaker["s2"].any()
    run("compute-cmvn-stats", *argv, "all.mat")
    np.testing.assert_allclose(read_object("all.mat", DOUBLE_MATRIX), expected, rtol=1e-6)  # float32


@pytest.mark.parametrize("spk2utt", [False, True])
def test_an_empty_matrix_has_no_statistics(spk2utt: bool, capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:feats.ark", {"none": np.zeros((0, 0), np.float32)})
    Path("spk2utt").write_text("s none\n")
    options = ["--spk2utt=ark:spk2utt"] if spk2utt else []
    assert run("compute-cmvn-stats", *options, "ark:feats.ark", "ark:stats.ark")[0] == 255
    assert "none: the feature matrix is empty" in capfd.readouterr().err


@pytest.mark.parametrize("spk2utt", [False, True])
def test_an_empty_matrix_adds_nothing_to_those_before_it_and_counts_as_in_kaldi(
    spk2utt: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    make_table("ark:feats.ark", {"a": FEATS["a"], "none": np.zeros((0, 0), np.float32), "z": FEATS["b"]})
    Path("spk2utt").write_text("s a none z\n")
    options, target = (["--spk2utt=ark:spk2utt"], "ark:all.ark") if spk2utt else ([], "all.mat")
    assert run("compute-cmvn-stats", *options, "ark:feats.ark", target)[0] == 0
    found = table("ark:all.ark", DOUBLE_MATRIX)["s"] if spk2utt else read_object("all.mat", DOUBLE_MATRIX)
    np.testing.assert_allclose(found, cmvn_stats(np.vstack([FEATS["a"], FEATS["b"]])), rtol=1e-6)  # float32 in a file
    assert "for 3 utterances; 0 had errors." in capfd.readouterr().err


def test_an_empty_matrix_that_is_the_first_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:feats.ark", {"none": np.zeros((0, 0), np.float32), "z": FEATS["b"]})
    assert run("compute-cmvn-stats", "ark:feats.ark", "all.mat")[0] == 255
    assert "none: the feature matrix is empty" in capfd.readouterr().err
    assert not Path("all.mat").exists()


def test_statistics_of_nothing_are_not_written_and_fail(capfd: pytest.CaptureFixture[str]) -> None:
    Path("empty.ark").write_bytes(b"")
    assert run("compute-cmvn-stats", "ark:empty.ark", "all.mat")[0] == 1
    assert not Path("all.mat").exists()
    assert run("compute-cmvn-stats", "--spk2utt=ark:x", "ark:feats.ark", "all.mat")[0] == 255
    assert "did you forget ark:" in capfd.readouterr().err


def test_features_of_another_dimension_are_refused_with_their_name(capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:feats.ark", {"a": random_feats(3, 2), "b": random_feats(3, 4)})
    assert run("compute-cmvn-stats", "ark:feats.ark", "all.mat")[0] == 255
    assert "b: the features have 4 columns, those before 2" in capfd.readouterr().err


def test_normalisation_by_speaker_skips_what_has_no_statistics(capfd: pytest.CaptureFixture[str]) -> None:
    stats = cmvn_stats(FEATS["a"])
    make_table("ark:stats.ark", {"s1": stats}, DOUBLE_MATRIX)
    Path("utt2spk").write_text("a s1\nb s2\nc s1\n")
    argv = ["--utt2spk=ark:utt2spk", "ark:stats.ark", "ark:feats.ark", "ark:out.ark"]
    assert run("apply-cmvn", *argv)[0] == 0
    said = capfd.readouterr().err
    normalized = table("ark:out.ark")
    assert list(normalized) == ["a", "c"]
    np.testing.assert_array_equal(normalized["c"], apply_cmvn(FEATS["c"], stats))
    assert "No normalization statistics available for key b" in said
    assert "Applied cepstral mean normalization to 2 utterances, errors on 1" in said
    Path("utt2spk").write_text("a s1\n")
    assert run("apply-cmvn", *argv)[0] == 255
    assert "b: has no line in ark:utt2spk" in capfd.readouterr().err


@pytest.mark.parametrize("variance", [[], ["--norm-vars=true"]])
@pytest.mark.parametrize("direction", [[], ["--reverse=true"]])
def test_apply_cmvn_takes_a_file_of_statistics_for_all(variance: list[str], direction: list[str]) -> None:
    write_object("stats.mat", DOUBLE_MATRIX, cmvn_stats(FEATS["a"]))
    assert run("apply-cmvn", *variance, *direction, "stats.mat", "ark:feats.ark", "ark:out.ark")[0] == 0
    mean, deviation = FEATS["a"].mean(axis=0), FEATS["a"].std(axis=0) if variance else 1.0
    for key, normalized in table("ark:out.ark").items():
        expected = FEATS[key] * deviation + mean if direction else (FEATS[key] - mean) / deviation
        np.testing.assert_allclose(normalized, expected, rtol=1e-5, atol=1e-5)  # float32 of values up to 10


def test_without_means_nothing_is_changed_and_what_is_compressed_stays_so() -> None:
    for method in (2, 3, 5):
        make_table("ark:packed.ark", FEATS, compressed_matrix(method))
        assert run("apply-cmvn", "--norm-means=false", "absent", "ark:packed.ark", "ark:out.ark")[0] == 0
        assert Path("out.ark").read_bytes() == Path("packed.ark").read_bytes()
        run("apply-cmvn", "--norm-means=false", "absent", "ark:packed.ark", "ark,t:out.txt")
        unpacked = table("ark:packed.ark")
        for key, matrix in table("ark:out.txt").items():
            np.testing.assert_allclose(matrix, unpacked[key], rtol=1e-6)  # seven digits in text
    assert run("apply-cmvn", "--norm-means=false", "absent", "ark:feats.ark", "ark:out.ark")[0] == 0
    assert Path("out.ark").read_bytes() == Path("feats.ark").read_bytes()


@pytest.mark.parametrize("method", [2, 3, 5])
def test_a_range_of_what_is_compressed_is_copied_compressed(method: int) -> None:
    make_table("ark,scp:packed.ark,packed.scp", FEATS, compressed_matrix(method))
    first = Path("packed.scp").read_text().split()[1]
    Path("part.scp").write_text(f"a {first}[3:11,1:2]\n")
    assert run("apply-cmvn", "--norm-means=false", "absent", "scp:part.scp", "ark:out.ark")[0] == 0
    assert Path("out.ark").read_bytes()[:6] == Path("packed.ark").read_bytes()[:6]
    np.testing.assert_array_equal(table("ark:out.ark")["a"], table("ark:packed.ark")["a"][3:12, 1:3])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--norm-vars=true", "--norm-means=false", "stats.mat"], "variances are taken around the mean"),
        (["--skip-dims=1:x", "stats.mat"], "--skip-dims=1:x"),
        (["--skip-dims=1:", "stats.mat"], "--skip-dims=1:"),
        (["--skip-dims=3", "stats.mat"], "dimension 3; the statistics have dimensions 0 to 2"),
        (["--skip-dims=0", "mean.mat"], "needs statistics of two rows"),
        (["--utt2spk=ark:utt2spk", "stats.mat"], "did you forget ark:"),
        (["wide.mat"], "a: the statistics are 2 x 5"),
    ],
)
def test_apply_cmvn_refuses_with_option_or_utterance(
    argv: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_object("stats.mat", DOUBLE_MATRIX, cmvn_stats(FEATS["a"]))
    write_object("mean.mat", DOUBLE_MATRIX, cmvn_stats(FEATS["a"])[:1])
    write_object("wide.mat", DOUBLE_MATRIX, np.ones((2, 5)))
    assert run("apply-cmvn", *argv, "ark:feats.ark", "ark:out.ark")[0] == 255
    assert said in capfd.readouterr().err


def test_skip_dims_are_given_with_colons() -> None:
    write_object("stats.mat", DOUBLE_MATRIX, cmvn_stats(FEATS["a"]))
    run("apply-cmvn", "--skip-dims=0:2", "--norm-vars=true", "stats.mat", "ark:feats.ark", "ark:out.ark")
    normalized = table("ark:out.ark", FLOAT_MATRIX)["a"]
    np.testing.assert_array_equal(normalized[:, [0, 2]], FEATS["a"][:, [0, 2]])
    assert abs(normalized[:, 1].mean()) < 1e-6  # float32
