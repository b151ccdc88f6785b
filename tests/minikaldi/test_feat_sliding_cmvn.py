"""Sliding-window normalisation."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.feat.sliding_cmvn import SlidingCmvnOptions, sliding_cmvn, window_bounds


def slow_bounds(t: int, num_frames: int, options: SlidingCmvnOptions) -> tuple[int, int]:
    """The window of one frame, moved inside step by step."""
    if options.center:
        start = t - options.cmn_window // 2
        end = start + options.cmn_window
        while start < 0:
            start, end = start + 1, end + 1
    else:
        start, end = max(0, t - options.cmn_window), t + 1
        while end < options.min_cmn_window:
            end += 1
    while end > num_frames and start > 0:
        start, end = start - 1, end - 1
    return start, min(end, num_frames)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 20), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_each_frame_equals_the_frame_normalised_by_its_window_alone(
    num_frames: int, window: int, min_window: int, center: bool, norm_vars: bool
) -> None:
    options = SlidingCmvnOptions(cmn_window=window, min_cmn_window=min_window, center=center, norm_vars=norm_vars)
    feats = np.random.default_rng(num_frames).standard_normal((num_frames, 3)).astype(np.float32) + 50
    starts, ends = window_bounds(num_frames, options)
    normalized = sliding_cmvn(feats, options)
    for t in range(num_frames):
        start, end = slow_bounds(t, num_frames, options)
        assert (starts[t], ends[t]) == (start, end)
        inside = feats[start:end].astype(np.float64)
        expected = feats[t] - inside.mean(axis=0)
        if norm_vars:
            expected = expected / np.sqrt(np.maximum(inside.var(axis=0), 1e-10)) if end - start > 1 else 0 * expected
        np.testing.assert_allclose(normalized[t], expected, rtol=1e-5, atol=1e-5)  # float32 of values near 1


def test_centred_window_of_three_by_hand() -> None:
    feats = np.array([[1.0], [2.0], [6.0], [7.0]], np.float32)
    options = SlidingCmvnOptions(cmn_window=3, center=True)
    # windows 0-2, 0-2, 1-3, 1-3 with means 3, 3, 5, 5
    np.testing.assert_allclose(sliding_cmvn(feats, options), [[-2], [-1], [1], [2]], atol=1e-6)


@given(st.floats(-1e4, 1e4))
@settings(max_examples=20, deadline=None)
def test_a_constant_offset_vanishes(offset: float) -> None:
    feats = np.random.default_rng(1).standard_normal((50, 2))
    options = SlidingCmvnOptions(cmn_window=10, center=True)
    shifted, plain = (feats + offset).astype(np.float32), feats.astype(np.float32)
    # the offset costs float32 digits: 1e4 has steps of 1e-3
    np.testing.assert_allclose(sliding_cmvn(shifted, options), sliding_cmvn(plain, options), atol=2e-3)


def test_constant_features_become_zero_with_a_bounded_number_of_warnings(caplog: pytest.LogCaptureFixture) -> None:
    options = SlidingCmvnOptions(norm_vars=True, center=True, max_warnings=2)
    with caplog.at_level(logging.WARNING):
        normalized = sliding_cmvn(np.full((20, 2), 3.0, np.float32), options)
    assert (normalized == 0).all()
    *warnings, more = [record.getMessage() for record in caplog.records]
    assert [text[:7] for text in warnings] == ["frame 0", "frame 1"]
    assert more.startswith("18 more such frames")


def test_one_frame_becomes_zero() -> None:
    for norm_vars in (False, True):
        assert (sliding_cmvn(np.ones((1, 2), np.float32), SlidingCmvnOptions(norm_vars=norm_vars)) == 0).all()


def test_a_window_of_no_frame_is_refused() -> None:
    with pytest.raises(KaldiError, match="--cmn-window=0"):
        sliding_cmvn(np.ones((3, 2), np.float32), SlidingCmvnOptions(cmn_window=0))


@pytest.mark.parametrize("form", [{"center": True}, {"center": False}, {"center": True, "norm_vars": True}])
def test_frames_do_not_depend_on_the_size_of_blocks(form: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SlidingCmvnOptions(cmn_window=30, min_cmn_window=10, **form)
    feats = np.random.default_rng(2).standard_normal((100, 3)).astype(np.float32) + 20
    whole = sliding_cmvn(feats, options)
    for size in (1, 7, 64):
        monkeypatch.setattr("minikaldi.feat.sliding_cmvn.BLOCK_FRAMES", size)
        # float32 sums of values near 20 in another order: 2e-7 of the mean
        np.testing.assert_allclose(sliding_cmvn(feats, options), whole, atol=1e-5)


def test_a_loud_start_costs_the_rest_no_digits() -> None:
    rest = np.random.default_rng(3).standard_normal((900, 2)).astype(np.float32)
    loud = np.full((300, 2), 1e12, np.float32)
    options = SlidingCmvnOptions(cmn_window=100, center=True)
    np.testing.assert_allclose(
        sliding_cmvn(np.vstack([loud, rest]), options)[400:], sliding_cmvn(rest, options)[100:], atol=1e-6
    )


def test_means_are_right_to_float32_where_the_mean_is_a_hundred_times_the_deviation() -> None:
    feats = (100 + np.random.default_rng(4).standard_normal((3000, 4))).astype(np.float32)
    normalized = sliding_cmvn(feats, SlidingCmvnOptions(cmn_window=300, center=True))
    wide = feats.astype(np.float64)
    for t in (0, 149, 150, 1500, 2850, 2999):
        start = min(max(t - 150, 0), 2700)
        expected = wide[t] - wide[start : start + 300].mean(axis=0)
        np.testing.assert_allclose(normalized[t], expected, atol=3e-5)  # 3e-7 of 100; float32 has steps of 8e-6 there
