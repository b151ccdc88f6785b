"""Deltas and subsampling: numbers and commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.feat.deltas import DeltaOptions, add_deltas
from tests.minikaldi.helpers.running import make_table, random_feats, run, table


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def slow_derivative(values: list[float], t: int, order: int, window: int) -> float:
    """The slope of the regression line through the derivative before, of the series that goes on for ever."""
    if order == 0:
        return values[min(max(t, 0), len(values) - 1)]
    rise = sum(j * slow_derivative(values, t + j, order - 1, window) for j in range(-window, window + 1))
    return rise / sum(j * j for j in range(-window, window + 1))


def test_deltas_of_three_frames_by_hand() -> None:
    feats = np.array([[1.0], [2.0], [4.0]], np.float32)
    # window 1: (next - previous) / 2 with the ends repeated; then the same of the extended first derivative
    # first derivative at -1 … 3: 0, 0.5, 1.5, 1, 0
    expected = [[1, 0.5, 0.75], [2, 1.5, 0.25], [4, 1.0, -0.75]]
    np.testing.assert_allclose(add_deltas(feats, DeltaOptions(2, 1)), expected, atol=1e-6)  # float32


def test_deltas_of_a_constant_are_zero() -> None:
    extended = add_deltas(np.full((7, 3), 1234.567, np.float32), DeltaOptions())
    assert not extended[:, 3:].any()


def test_deltas_of_a_line_are_its_slope_and_then_zero_away_from_the_ends() -> None:
    line = (0.5 * np.arange(30, dtype=np.float32) - 3)[:, None]
    extended = add_deltas(line, DeltaOptions(2, 3))
    np.testing.assert_allclose(extended[6:-6, 1], 0.5, rtol=1e-6)  # float32
    np.testing.assert_allclose(extended[6:-6, 2], 0.0, atol=1e-6)


@given(st.integers(1, 12), st.integers(0, 3), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_deltas_equal_regressions_frame_by_frame(num_frames: int, order: int, window: int) -> None:
    feats = random_feats(num_frames, 2, seed=num_frames)
    extended = add_deltas(feats, DeltaOptions(order, window))
    assert extended.shape == (num_frames, 2 * (order + 1))
    for t in range(num_frames):
        for column in range(2 * (order + 1)):
            series = feats[:, column % 2].astype(float).tolist()
            expected = slow_derivative(series, t, column // 2, window)
            assert extended[t, column] == pytest.approx(expected, abs=2e-6)  # float32 of values near 3


def test_one_frame_has_no_slope() -> None:
    np.testing.assert_array_equal(add_deltas(np.float32([[2, 3]]), DeltaOptions()), [[2, 3, 0, 0, 0, 0]])


@pytest.mark.parametrize("options", [DeltaOptions(-1, 2), DeltaOptions(1000, 2), DeltaOptions(2, 0)])
def test_orders_and_windows_without_meaning_are_refused(options: DeltaOptions) -> None:
    with pytest.raises(KaldiError, match="--delta-order"):
        add_deltas(np.ones((3, 1), np.float32), options)


def test_add_deltas_leaves_an_empty_matrix_out_with_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    make_table("ark:in.ark", {"a": random_feats(5, 2), "none": np.zeros((0, 0), np.float32)})
    assert run("add-deltas", "ark:in.ark", "ark:out.ark")[0] == 0
    assert set(table("ark:out.ark")) == {"a"}
    said = capfd.readouterr().err
    assert "WARNING" in said
    assert "Empty feature matrix for key none" in said


def test_add_deltas_of_nothing_is_no_error_as_in_kaldi() -> None:
    assert run("add-deltas", "ark,t:-", "ark,t:-") == (0, b"")


def test_truncation_comes_before_the_deltas_and_cannot_widen(capfd: pytest.CaptureFixture[str]) -> None:
    feats = random_feats(6, 4)
    make_table("ark:in.ark", {"a": feats})
    run("add-deltas", "--truncate=2", "--delta-order=1", "ark:in.ark", "ark:out.ark")
    np.testing.assert_array_equal(table("ark:out.ark")["a"], add_deltas(feats[:, :2], DeltaOptions(1, 2)))
    for wrong in (5, -1):
        assert run("add-deltas", f"--truncate={wrong}", "ark:in.ark", "ark:out.ark")[0] == 255
        assert f"a: --truncate={wrong}, but the features have 4 columns" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--n=3"], [0, 3, 6]),
        (["--n=3", "--offset=2"], [2, 5]),
        (["--n=1", "--offset=6"], [6]),
        (["--n=20"], [0]),
        (["--n=-2"], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]),
        ([], [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_subsampling_takes_every_nth_frame_or_repeats_each(options: list[str], rows: list[int]) -> None:
    feats = random_feats(7, 3)
    make_table("ark:in.ark", {"a": feats})
    assert run("subsample-feats", *options, "ark:in.ark", "ark:out.ark")[0] == 0
    np.testing.assert_array_equal(table("ark:out.ark")["a"], feats[rows])


def test_an_utterance_without_a_frame_left_is_reported_and_left_out(
    capfd: pytest.CaptureFixture[str],
) -> None:
    make_table("ark:in.ark", {"a": random_feats(7, 3), "short": random_feats(2, 3)})
    assert run("subsample-feats", "--n=2", "--offset=2", "ark:in.ark", "ark:out.ark")[0] == 0
    said = capfd.readouterr().err
    assert set(table("ark:out.ark")) == {"a"}
    assert "For utterance short, the output would have no rows" in said
    assert "Processed 1 feature matrices; 1 with errors." in said
    assert "Processed 9 input frames and 3 output frames." in said
    assert run("subsample-feats", "--offset=9", "ark:in.ark", "ark:out.ark")[0] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--n=0"], "--n=0 takes no frame"),
        (["--n=-2", "--offset=1"], "--offset=1 has no meaning"),
        (["--offset=-1"], "is negative"),
    ],
)
def test_subsampling_without_meaning_is_refused(
    options: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make_table("ark:in.ark", {"a": random_feats(7, 3)})
    assert run("subsample-feats", *options, "ark:in.ark", "ark:out.ark")[0] == 255
    assert said in capfd.readouterr().err
