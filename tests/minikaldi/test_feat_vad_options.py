"""apply-cmvn-sliding, compute-vad and select-voiced-frames as commands: options, counts, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_VECTOR
from tests.minikaldi.helpers.running import make_table, random_feats, run, table
from tests.minikaldi.helpers.slow_features import slow_sliding_cmvn, slow_vad

FEATS = {"a": random_feats(40, 3, 1), "b": random_feats(7, 3, 2), "one": random_feats(1, 3, 3)}
EMPTY = np.zeros((0, 0), np.float32)


@pytest.fixture(autouse=True)
def in_folder_with_feats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_table("ark:feats.ark", {**FEATS, "none": EMPTY})


SLIDING = [
    # window, least window, centred
    (5, 3, True),
    (6, 3, True),
    (300, 100, True),
    (5, 3, False),
    (5, 9, False),
    (300, 100, False),
    (1, 1, True),
    (1, 1, False),
]


@pytest.mark.parametrize("norm_vars", [False, True])
@pytest.mark.parametrize(("window", "least", "center"), SLIDING)
def test_sliding_normalisation_equals_its_definition(
    window: int, least: int, center: bool, norm_vars: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = [f"--cmn-window={window}", f"--min-cmn-window={least}", f"--center={str(center).lower()}"]
    argv.append(f"--norm-vars={str(norm_vars).lower()}")
    assert run("apply-cmvn-sliding", *argv, "ark:feats.ark", "ark:out.ark")[0] == 0
    said = capfd.readouterr().err
    found = table("ark:out.ark")
    assert list(found) == ["a", "b", "one"]
    for key, normalized in found.items():
        expected = slow_sliding_cmvn(FEATS[key], window, least, center, norm_vars)
        np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=1e-5)  # float32 of values near 3
    assert "Empty feature matrix for utterance none" in said
    assert f"mean {'and variance ' if norm_vars else ''}normalization to 3 utterances, 1 had errors." in said


@pytest.mark.parametrize(("most", "lines"), [(None, 6), (0, 1), (2, 3), (12, 12), (100, 12), (-1, 12)])
def test_warnings_of_floored_variances_are_as_many_as_wanted(
    most: int | None, lines: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The last of fewer says how many there were more."""
    make_table("ark:feats.ark", {"flat": np.ones((12, 2), np.float32)})
    options = ["--norm-vars=true", *([f"--max-warnings={most}"] if most is not None else [])]
    run("apply-cmvn-sliding", *options, "ark:feats.ark", "ark:out.ark")
    warned = [text for text in capfd.readouterr().err.splitlines() if text.startswith("WARNING")]
    assert len(warned) == lines
    assert ("more such frames" in warned[-1]) == (lines < 12)
    assert not table("ark:out.ark")["flat"].any()


def test_a_centred_window_below_its_unused_minimum_is_refused_as_in_kaldi(capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["--cmn-window=50", "ark:feats.ark", "ark:out.ark"]
    assert run("apply-cmvn-sliding", "--center=true", *argv)[0] == 255
    assert "--min-cmn-window=100 is more than --cmn-window=50" in capfd.readouterr().err
    assert run("apply-cmvn-sliding", "--center=false", *argv)[0] == 0
    assert run("apply-cmvn-sliding", "--cmn-window=0", "ark:feats.ark", "ark:out.ark")[0] == 255


def test_nothing_but_empty_matrices_is_a_failure() -> None:
    make_table("ark:feats.ark", {"none": EMPTY})
    for command in ("apply-cmvn-sliding", "compute-vad"):
        assert run(command, "ark:feats.ark", "ark:out.ark")[0] == 1
        assert run(command, "ark:-", "ark:-") == (1, b"")
    assert run("select-voiced-frames", "ark:feats.ark", "ark:feats.ark", "ark:out.ark")[0] == 1


@pytest.mark.parametrize(
    ("options", "threshold", "mean_scale", "context", "share"),
    [
        ([], 5.0, 0.5, 0, 0.6),
        (["--vad-energy-threshold=2.9", "--vad-energy-mean-scale=0"], 2.9, 0.0, 0, 0.6),
        (["--vad-energy-threshold=0", "--vad-energy-mean-scale=1"], 0.0, 1.0, 0, 0.6),
        (["--vad-energy-threshold=1.5", "--vad-frames-context=2"], 1.5, 0.5, 2, 0.6),
        (
            ["--vad-energy-threshold=1.7", "--vad-frames-context=5", "--vad-proportion-threshold=0.12"],
            *(1.7, 0.5, 5, 0.12),
        ),
        (["--vad-energy-threshold=1", "--vad-frames-context=50", "--vad-proportion-threshold=0.9"], 1.0, 0.5, 50, 0.9),
    ],
)
def test_vad_equals_its_definition(
    options: list[str],
    threshold: float,
    mean_scale: float,
    context: int,
    share: float,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, _ = run("compute-vad", *options, "ark:feats.ark", "ark:vad.ark")
    said = capfd.readouterr().err
    found = table("ark:vad.ark", FLOAT_VECTOR)
    assert list(found) == ["a", "b", "one"]
    for key, voiced in found.items():
        expected = slow_vad(FEATS[key][:, 0].astype(float).tolist(), threshold, mean_scale, context, share)
        np.testing.assert_array_equal(voiced, expected)
    num_voiced = sum(voiced.any() for voiced in found.values())
    assert code == (0 if num_voiced else 1)
    assert "Empty feature matrix for utterance none" in said
    assert f"processed {num_voiced} utterances successfully; 1 had empty features, and {3 - num_voiced} were" in said
    share_voiced = sum(voiced.sum() for voiced in found.values()) / 48
    assert f"Proportion of voiced frames was {share_voiced:g} over 48 frames." in said


def test_unvoiced_utterances_are_written_or_omitted_and_reported(capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:feats.ark", {"loud": np.full((3, 2), 20, np.float32), "quiet": np.full((3, 2), 2, np.float32)})
    assert run("compute-vad", "ark:feats.ark", "ark,t:-") == (0, b"loud  [ 1 1 1 ]\nquiet  [ 0 0 0 ]\n")
    assert "No frames were judged voiced for utterance quiet" in capfd.readouterr().err
    assert run("compute-vad", "--omit-unvoiced-utts=true", "ark:feats.ark", "ark,t:-") == (0, b"loud  [ 1 1 1 ]\n")


def test_an_energy_that_is_not_a_number_is_reported_and_makes_the_utterance_unvoiced(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As in Kaldi: the mean, and with it the threshold, is not a number then. Without the mean one frame is lost."""
    make_table("ark:feats.ark", {"bad": np.float32([[20, 0], [np.nan, 0], [20, np.nan]])})
    assert run("compute-vad", "ark:feats.ark", "ark,t:-") == (1, b"bad  [ 0 0 0 ]\n")
    said = capfd.readouterr().err
    assert "The log energy of 1 of 3 frames of utterance bad is NaN" in said
    assert "No frames were judged voiced for utterance bad" in said
    assert run("compute-vad", "--vad-energy-mean-scale=0", "ark:feats.ark", "ark,t:-") == (0, b"bad  [ 1 0 1 ]\n")


@pytest.mark.parametrize(
    "option", ["--vad-frames-context=-1", "--vad-energy-mean-scale=-0.1", "--vad-proportion-threshold=1"]
)
def test_vad_options_without_meaning_are_refused(option: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("compute-vad", option, "ark:feats.ark", "ark:vad.ark")[0] == 255
    assert option.partition("=")[0] in capfd.readouterr().err


def test_selection_reports_and_counts_each_reason_and_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    feats = {key: random_feats(4, 2, seed) for seed, key in enumerate(["fine", "long", "missing", "silent", "last"])}
    make_table("ark:feats.ark", {**feats, "empty": EMPTY})
    vad = {"fine": [0, 1, 1, 0], "long": [1] * 5, "silent": [0] * 4, "last": [1, 0, 0, 0], "empty": []}
    make_table("ark:vad.ark", {key: np.float32(voiced) for key, voiced in vad.items()}, FLOAT_VECTOR)
    assert run("select-voiced-frames", "ark:feats.ark", "ark:vad.ark", "ark:out.ark")[0] == 0
    said = capfd.readouterr().err
    selected = table("ark:out.ark")
    assert list(selected) == ["fine", "last"]
    np.testing.assert_array_equal(selected["fine"], feats["fine"][1:3])
    np.testing.assert_array_equal(selected["last"], feats["last"][:1])
    for part in (
        "4 for features and 5 for VAD, for utterance long",
        "No VAD input found for utterance missing",
        "No features were judged as voiced for utterance silent",
        "Empty feature matrix for utterance empty",
        "processed 2 utterances, 4 had errors.",
    ):
        assert part in said


def test_decisions_other_than_0_and_1_stop_the_selection(capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:vad.ark", {"one": np.float32([0.5])}, FLOAT_VECTOR)
    make_table("ark:feats.ark", {"one": FEATS["one"]})
    assert run("select-voiced-frames", "ark:feats.ark", "ark:vad.ark", "ark:out.ark")[0] == 255
    assert "one: the VAD holds values other than 0 and 1" in capfd.readouterr().err
