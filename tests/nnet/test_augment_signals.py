"""The ground under the steps: power, 16 bits, FFT lengths, spectra in rows, bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from nnet.augment.cache import BoundedCache
from nnet.augment.signal import Signal, signal_power, to_sixteen_bits
from nnet.augment.spectra import (
    by_length,
    common_lengths,
    energy,
    fast_length,
    filter_wave,
    resized,
    spectra_of,
    squared,
    waves_of,
)

RNG = np.random.default_rng(0)


def noise(*lengths: int) -> list[np.ndarray]:
    return [(1000 * RNG.standard_normal(length)).astype(np.float32) for length in lengths]


def test_power_is_the_mean_square() -> None:
    assert signal_power(np.array([3, -4], np.float32)) == 12.5
    assert signal_power(np.zeros(0, np.float32)) == 0.0
    wave = noise(48000)[0]
    assert signal_power(wave) == pytest.approx(np.mean(wave.astype(np.float64) ** 2), rel=1e-5)  # float32 sums


def test_sixteen_bits_are_truncated_toward_zero_and_clipped() -> None:
    samples = np.array([1.9, -1.9, 40000, -40000, 32767.9, -32768.9], np.float32)
    assert to_sixteen_bits(samples)
    assert samples.tolist() == [1, -1, 32767, -32768, 32767, -32768]
    assert not to_sixteen_bits(np.array([32767.9, -32768.9], np.float32))  # truncated, they fit
    assert not to_sixteen_bits(np.zeros(0, np.float32))


@pytest.mark.parametrize("least", [1, 511, 512, 513, 36000, 40961, 45056, 45057, 61441, 100001])
def test_a_fast_length_is_even_smooth_and_at_most_an_eighth_longer(least: int) -> None:
    length = fast_length(least)
    assert length >= least and length % 4 == 0
    assert length <= max(64, 1.125 * least)
    for prime in (2, 3, 5, 7, 11):
        while length % prime == 0:
            length //= prime
    assert length == 1


def test_waves_get_the_length_of_a_longer_one_that_is_not_much_longer() -> None:
    assert common_lengths([40000, 44000, 10000, 45000], 1.15) == [45056, 45056, 10240, 45056]
    assert common_lengths([45000, 30000], 1.15) == [45056, 30720]


def test_waves_are_grouped_by_length_in_portions() -> None:
    groups = list(by_length([5, 3] * 9))
    assert [length for length, _ in groups] == [3, 3, 5, 5]
    assert sorted(place for _, places in groups for place in places) == list(range(18))
    assert max(len(places) for _, places in groups) == 8


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8])
def test_spectra_in_rows_are_those_of_each_wave_and_come_back(rows: int) -> None:
    waves = noise(*range(400, 400 + rows))
    spectra = spectra_of(waves, 512)
    for wave, spectrum in zip(waves, spectra, strict=False):
        np.testing.assert_allclose(spectrum, np.fft.rfft(wave, 512), atol=0.1)  # float32, values to 60,000
    for wave, back in zip(waves, waves_of(spectra, 512), strict=False):
        np.testing.assert_allclose(back[: len(wave)], wave, atol=5e-3)
        assert np.abs(back[len(wave) :]).max() < 5e-3


@pytest.mark.parametrize("num_samples", [1, 7, 800, 801, 36000])
def test_a_filter_in_blocks_is_the_filter_of_the_whole_wave(num_samples: int) -> None:
    (wave,) = noise(num_samples)
    taps = np.exp(-(np.linspace(-3, 3, 101) ** 2))  # symmetric, and 50 samples to either side

    def response(length: int) -> np.ndarray:
        centred = np.zeros(length)
        centred[np.arange(-50, 51)] = taps
        return np.fft.rfft(centred).real.astype(np.float32)

    expected = np.convolve(wave.astype(np.float64), taps)[50 : 50 + num_samples]
    np.testing.assert_allclose(filter_wave(wave, response, 60), expected, atol=0.1)  # float32, values to 30,000


def test_missing_bins_are_zeros_and_those_beyond_are_left_out() -> None:
    (wave,) = noise(256)
    spectra = spectra_of([wave], 256)
    response = np.linspace(0, 1, 65, dtype=np.float32)
    for length in (512, 128, 64):
        expected = np.fft.irfft(spectra[0, :65] * response, length)
        np.testing.assert_allclose(waves_of(resized(spectra, length, response), length)[0], expected, atol=1e-2)


def test_the_energy_is_taken_off_the_spectrum() -> None:
    (wave,) = noise(500)
    spectrum, exact = spectra_of([wave + 300], 512)[0], float(np.sum((wave + 300).astype(np.float64) ** 2))
    assert energy(spectrum, 512) == pytest.approx(exact, rel=1e-5)
    np.testing.assert_allclose(squared(spectrum), np.abs(spectrum) ** 2, rtol=1e-5)


def test_the_context_is_dropped_from_the_front() -> None:
    signal = Signal(np.arange(5, dtype=np.float32), context=2, speaker="s", speech_power=3.0)
    alone = signal.without_context()
    assert alone.samples.tolist() == [2, 3, 4] and (alone.context, alone.speaker, alone.speech_power) == (0, "s", 3.0)
    assert alone.without_context() is alone


def test_a_bounded_cache_forgets_what_was_used_least_recently() -> None:
    cache: BoundedCache[str] = BoundedCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"  # now b is the older
    cache.put("c", "C", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.held_bytes, len(cache)) == ("A", None, "C", 8, 2)
    cache.put("d", "D", 11)  # larger than all there is
    assert cache.get("d") is None and cache.held_bytes == 8
