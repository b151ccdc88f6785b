"""The ground under the steps: power, 16 bits, FFT lengths, spectra in rows, bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from nnet.augment.cache import BoundedCache
from nnet.augment.signal import power, to_sixteen_bits
from nnet.augment.spectra import by_length, common_lengths, energy_weights, fast_length, spectra_of, squared, waves_of

RNG = np.random.default_rng(0)


def noise(*lengths: int) -> list[np.ndarray]:
    return [(1000 * RNG.standard_normal(length)).astype(np.float32) for length in lengths]


def test_power_is_the_mean_square() -> None:
    assert power(np.array([3, -4], np.float32)) == 12.5
    assert power(np.zeros(0, np.float32)) == 0.0
    wave = noise(48000)[0]
    assert power(wave) == pytest.approx(np.mean(wave.astype(np.float64) ** 2), rel=1e-5)  # float32 sums


def test_sixteen_bits_are_truncated_toward_zero_and_clipped() -> None:
    samples = np.array([1.9, -1.9, 40000, -40000, 32767.9, -32768.9], np.float32)
    assert to_sixteen_bits(samples)
    assert samples.tolist() == [1, -1, 32767, -32768, 32767, -32768]
    assert not to_sixteen_bits(np.array([32767.9, -32768.9], np.float32))  # truncated, they fit
    assert not to_sixteen_bits(np.zeros(0, np.float32))


@pytest.mark.parametrize("least", [1, 511, 512, 513, 36000, 40961, 45056, 45057, 61441, 100001])
def test_a_fast_length_is_even_smooth_and_at_most_an_eighth_longer(least: int) -> None:
    length = fast_length(least)
    assert length >= least and length % 32 == 0
    assert length <= max(512, 1.125 * least)
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


def test_missing_bins_are_zeros_and_those_beyond_are_left_out() -> None:
    (wave,) = noise(256)
    spectra = spectra_of([wave], 256)
    np.testing.assert_allclose(waves_of(spectra[:, :65], 512)[0], np.fft.irfft(spectra[0, :65], 512), atol=1e-2)
    np.testing.assert_allclose(waves_of(spectra, 128)[0], np.fft.irfft(spectra[0, :65], 128), atol=1e-2)


def test_a_weighted_sum_over_the_spectrum_is_the_energy() -> None:
    (wave,) = noise(500)
    found = squared(spectra_of([wave], 512)[0]) @ energy_weights(512)
    assert found == pytest.approx(float(np.sum(wave.astype(np.float64) ** 2)), rel=1e-5)


def test_a_bounded_cache_forgets_what_was_used_least_recently() -> None:
    cache: BoundedCache[str] = BoundedCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"  # now b is the older
    cache.put("c", "C", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.held_bytes, len(cache)) == ("A", None, "C", 8, 2)
    cache.put("d", "D", 11)  # larger than all there is
    assert cache.get("d") is None and cache.held_bytes == 8
