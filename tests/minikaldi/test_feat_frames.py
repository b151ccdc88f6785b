"""Framing, windows, dither."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.feat.frames import (
    BLOCK_FRAMES,
    FLOAT32_EPSILON,
    FrameOptions,
    dither_generator,
    frame_blocks,
    gaussian_noise,
    log_energy,
    num_frames,
    samples_between,
    window_function,
    windowed,
)

# 4-sample frames every 2 samples: small enough to be framed by hand
SMALL = {"sample_frequency": 1000.0, "frame_length": 4.0, "frame_shift": 2.0, "dither": 0.0}


def frames_of(samples: np.ndarray, options: FrameOptions, key: str = "") -> np.ndarray:
    return np.concatenate([frames for _, frames in frame_blocks(samples, options, key)] or [np.zeros((0, 1))])


def reflected_index(index: int, length: int) -> int:
    """Where a sample outside the wave is taken from: mirrored at the ends until it lies inside."""
    while not 0 <= index < length:
        index = -index - 1 if index < 0 else 2 * length - 1 - index
    return index


@pytest.mark.parametrize(("num_samples", "snipped", "kept"), [(0, 0, 0), (1, 0, 1), (3, 0, 2), (4, 1, 2), (9, 3, 5)])
def test_number_of_frames_by_hand(num_samples: int, snipped: int, kept: int) -> None:
    assert num_frames(num_samples, FrameOptions(**SMALL)) == snipped
    assert num_frames(num_samples, FrameOptions(**SMALL, snip_edges=False)) == kept


@given(st.integers(1, 60), st.sampled_from([(4.0, 2.0), (5.0, 2.0), (2.0, 6.0), (7.0, 3.0)]))
@settings(max_examples=60, deadline=None)
def test_unsnipped_frames_equal_frames_of_mirrored_samples_taken_one_by_one(length: int, form: tuple) -> None:
    options = FrameOptions(
        **{**SMALL, "frame_length": form[0], "frame_shift": form[1]}, snip_edges=False, remove_dc_offset=False
    )
    wave = np.arange(length, dtype=np.float32)
    window, shift = options.length_samples, options.shift_samples
    frames = frames_of(wave, options)
    assert len(frames) == num_frames(length, options)
    for t, frame in enumerate(frames):
        begin = shift * t + shift // 2 - window // 2
        np.testing.assert_array_equal(frame, [reflected_index(begin + i, length) for i in range(window)])


@given(st.integers(1, 9), st.integers(-30, 30), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_samples_outside_the_wave_are_its_mirror_image(length: int, begin: int, count: int) -> None:
    taken = samples_between(np.arange(length, dtype=np.float32), begin, begin + count)
    np.testing.assert_array_equal(taken, [reflected_index(i, length) for i in range(begin, begin + count)])


def test_windows_have_their_textbook_values_at_edge_and_centre() -> None:
    at = {name: window_function(name, 401, 0.42) for name in ("hanning", "hamming", "povey", "sine", "blackman")}
    edges = {"hanning": 0.0, "hamming": 0.08, "povey": 0.0, "sine": 0.0, "blackman": 0.0}
    for name, window in at.items():
        assert window[0] == pytest.approx(edges[name], abs=1e-6)  # float32 rounding
        assert window[200] == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(window, window[::-1], atol=1e-6)
    assert (window_function("rectangular", 5, 0.42) == 1).all()


def test_preemphasis_takes_the_first_sample_for_its_own_predecessor() -> None:
    frames = np.array([[1.0, 2.0, 4.0], [-8.0, 2.0, 3.0]], np.float32)
    options = FrameOptions(preemphasis_coefficient=0.5, window_type="rectangular")
    np.testing.assert_array_equal(windowed(frames, options), [[0.5, 1.5, 3.0], [-4.0, 6.0, 2.0]])


def test_log_energy_of_silence_is_the_log_of_the_float32_epsilon() -> None:
    assert log_energy(np.zeros((1, 8), np.float32))[0] == pytest.approx(np.log(FLOAT32_EPSILON))


def test_dither_depends_on_the_key_alone_and_has_the_given_deviation() -> None:
    options = FrameOptions(dither=2.0, remove_dc_offset=False)
    silence = np.zeros(16000, np.float32)
    first, again, other = (frames_of(silence, options, key) for key in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert first.std() == pytest.approx(2.0, rel=0.02)  # 39,200 draws: standard error 0.4 %


def test_dither_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    frames_of(np.zeros(1600, np.float32), FrameOptions(), "a")
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("dither", [0.0, 1.0])
def test_frames_do_not_depend_on_the_size_of_blocks(dither: float, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.rint(3000 * np.random.default_rng(0).standard_normal(9000)).astype(np.float32)
    options = FrameOptions(dither=dither, snip_edges=False)
    whole = frames_of(wave, options, "a")
    for size in (1, 7, 64):
        monkeypatch.setattr("minikaldi.feat.frames.BLOCK_FRAMES", size)
        np.testing.assert_allclose(frames_of(wave, options, "a"), whole, atol=1e-3)  # order of float32 sums


def test_frames_do_not_depend_on_what_comes_after_their_block() -> None:
    wave = np.random.default_rng(0).standard_normal(BLOCK_FRAMES * 160 * 3).astype(np.float32)
    options = FrameOptions(dither=1.0)
    long, short = frames_of(wave, options, "a"), frames_of(wave[: BLOCK_FRAMES * 160], options, "a")
    np.testing.assert_array_equal(long[: len(short)], short)


def test_numbers_of_frames_go_on_from_block_to_block() -> None:
    rows = [rows for rows, _ in frame_blocks(np.zeros(160 * (2 * BLOCK_FRAMES + 3), np.float32), FrameOptions())]
    assert [row for block in rows for row in range(block.start, block.stop)] == list(range(2 * BLOCK_FRAMES + 1))


@pytest.mark.parametrize("columns", [1, 400, 401])
def test_gaussian_noise_has_the_moments_of_a_normal_distribution(columns: int) -> None:
    noise = gaussian_noise(np.random.default_rng(0), 400_000 // columns, columns).astype(np.float64)
    assert noise.shape == (400_000 // columns, columns)
    # Standard errors over 400,000 draws: 0.0016, 0.0022, 0.0061 and 0.0155; four of them are allowed.
    moments = [(noise**power).mean() for power in (1, 2, 3, 4)]
    assert np.abs(np.array(moments) - [0, 1, 0, 3]) == pytest.approx([0, 0, 0, 0], abs=0.062)
    assert abs(moments[0]) < 0.0064
    assert abs(moments[1] - 1) < 0.009


def test_gaussian_noise_is_drawn_row_after_row_and_its_columns_are_independent() -> None:
    whole = gaussian_noise(np.random.default_rng(1), 5000, 6)
    generator = np.random.default_rng(1)
    parts = [gaussian_noise(generator, rows, 6) for rows in (1, 999, 4000)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for values in (whole, whole.astype(np.float64) ** 2):  # cosine and sine share a radius, so squares too
        correlation = np.corrcoef(values.T) - np.eye(6)
        assert np.abs(correlation).max() < 0.06  # four standard errors of 5,000 pairs


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"frame_shift": 0.0}, "frame-shift"),
        ({"frame_length": 0.01}, "frame-length"),
        ({"dither": -1.0}, "dither"),
        ({"window_type": "hannning"}, "choose one of: blackman, hamming"),
    ],
)
def test_options_without_meaning_are_refused(changed: dict, said: str) -> None:
    with pytest.raises(KaldiError, match=said):
        frames = np.zeros((1, 400), np.float32)
        windowed(frames, FrameOptions(**changed))
        list(frame_blocks(np.zeros(1600, np.float32), FrameOptions(**changed)))


def test_a_key_that_is_not_utf8_seeds_its_dither() -> None:
    assert dither_generator("s\udce9").random() != dither_generator("s\udce8").random()
