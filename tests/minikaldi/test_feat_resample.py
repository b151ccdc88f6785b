"""Resampling: against the formula summed sample by sample, and by its effect on tones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from minikaldi.feat.resample import _kaldi_filter, _wideband_filter, kaldi_resample, wideband_resample


def slow_kaldi_resample(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Each output sample as a sum over the inputs, weighted by a Hann-windowed sinc of six zeros."""
    cutoff = 0.99 * 0.5 * min(rate_in, rate_out)
    time_in = np.arange(len(samples)) / rate_in
    output = []
    for i in range(int(np.ceil(len(samples) * rate_out / rate_in))):
        offset = time_in - i / rate_out
        near = np.abs(offset) < 6 / (2 * cutoff)
        hann = 0.5 * (1 + np.cos(2 * np.pi * cutoff / 6 * offset))
        output.append(np.sum(samples * near * hann * 2 * cutoff * np.sinc(2 * cutoff * offset)) / rate_in)
    return np.array(output)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(16000, 8000), (8000, 16000), (44100, 16000), (11025, 16000)])
def test_kaldi_resampling_equals_the_sum_over_all_samples(rate_in: int, rate_out: int) -> None:
    samples = (1000 * np.random.default_rng(0).standard_normal(300)).astype(np.float32)
    expected = slow_kaldi_resample(samples, rate_in, rate_out)
    # float32 sums of some thirty terms of about 1000
    np.testing.assert_allclose(kaldi_resample(samples, rate_in, rate_out), expected, atol=2e-2)


def tone(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 16000), (8000, 16000), (17600, 16000)])
def test_a_tone_below_nine_tenths_of_nyquist_stays_the_same_tone(rate_in: int, rate_out: int) -> None:
    frequency = 0.9 * min(rate_in, rate_out) / 2
    middle = slice(rate_out // 10, rate_out * 4 // 10)  # away from the ends, where the wave stops abruptly
    resampled = wideband_resample(tone(frequency, rate_in), rate_in, rate_out)
    np.testing.assert_allclose(resampled[middle], tone(frequency, rate_out)[middle], atol=1e-3)  # ripple, -60 dB


def test_a_tone_above_the_new_nyquist_is_80_decibels_down() -> None:
    resampled = wideband_resample(tone(8100.0, 44100), 44100, 16000)[1600:6400]
    assert np.sqrt(np.mean(resampled**2)) < 0.7 * 10 ** (-80 / 20)


@given(st.integers(0, 300), st.sampled_from([(16000, 8000), (8000, 11025), (44100, 16000), (16000, 16000)]))
@settings(max_examples=40, deadline=None)
def test_length_is_the_ratio_rounded_up(length: int, rates: tuple[int, int]) -> None:
    samples = np.ones(length, np.float32)
    expected = -(-length * rates[1] // rates[0])
    assert len(kaldi_resample(samples, *rates)) == expected
    assert len(wideband_resample(samples, *rates)) == expected


def test_the_same_rate_changes_nothing() -> None:
    samples = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(wideband_resample(samples, 16000, 16000), samples)


@given(
    st.integers(1, 700),
    st.sampled_from([(1, 2), (3, 1), (9, 10), (441, 160), (640, 441), (1000, 1), (1, 300), (397, 401)]),
)
@settings(max_examples=60, deadline=None)
def test_resampling_in_groups_of_outputs_equals_filtering_the_zero_stuffed_wave(length: int, rates: tuple) -> None:
    samples = (1000 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    rate_in, rate_out = rates
    for resample, prototype in ((kaldi_resample, _kaldi_filter), (wideband_resample, _wideband_filter)):
        taps = prototype(rate_out, rate_in).astype(np.float64)
        expected = resample_poly(samples.astype(np.float64), rate_out, rate_in, window=taps)
        # float32 sums of up to 300 terms of about 1000
        np.testing.assert_allclose(resample(samples, rate_in, rate_out), expected, atol=5e-3)


def test_a_long_wave_is_resampled_block_by_block_as_a_piece_of_it() -> None:
    samples = (1000 * np.random.default_rng(5).standard_normal(400_000)).astype(np.float32)
    whole, piece = wideband_resample(samples, 10, 9), wideband_resample(samples[390_000:], 10, 9)
    np.testing.assert_allclose(whole[-8000:], piece[-8000:], atol=5e-3)  # as above; 390,000 is a multiple of 10
