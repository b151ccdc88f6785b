"""Rooms and noises."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.feat.reverberate import (
    AddedNoise,
    CorruptionOptions,
    block_convolved,
    corrupted,
    early_response,
    mean_square,
)

RATE = 16000.0
RNG = np.random.default_rng(0)
SPEECH = (1000 * RNG.standard_normal(8000)).astype(np.float32)
NOISE = (50 * RNG.standard_normal(3000)).astype(np.float32)
ROOM = np.concatenate([np.zeros(20), 0.7 * RNG.standard_normal(480) * np.exp(-np.arange(480) / 60)]).astype(np.float32)


def noise(samples: np.ndarray = NOISE, snr_db: float = 10.0, start_time: float = 0.0) -> AddedNoise:
    return AddedNoise(samples, snr_db, start_time, "noise.wav")


def slow_packed_convolution(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Block by block in float64, with the first complex pair of a packed real FFT multiplied as Kaldi does."""
    fft_length = 1
    while fft_length < 4 * len(response):
        fft_length *= 2
    block = fft_length - len(response) + 1
    total = len(signal) + len(response) - 1
    output = np.zeros(total + fft_length)
    h = np.fft.rfft(response.astype(np.float64), fft_length)
    for begin in range(0, total, block):
        x = np.fft.rfft(signal[begin : begin + block].astype(np.float64), fft_length)
        pair = complex(x[0].real, x[-1].real) * complex(h[0].real, h[-1].real)
        y = x * h
        y[0], y[-1] = pair.real, pair.imag
        output[begin : begin + fft_length] += np.fft.irfft(y)
    return output[:total]


@pytest.mark.parametrize("length", [1, 7, 5000, 30000])
def test_convolution_equals_blocks_one_by_one_with_the_packed_pair(length: int) -> None:
    signal = (1000 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    expected = slow_packed_convolution(signal, ROOM)
    np.testing.assert_allclose(block_convolved(signal, ROOM), expected, atol=5e-2)  # float32 FFT of values near 5,000


@pytest.mark.parametrize("blocks", [1, 6, 7, 8, 15, 20])
def test_convolution_does_not_depend_on_the_blocks_transformed_together(
    blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = SPEECH[:1].repeat(blocks * 1549 - 100)  # 1549 samples make a block with this room
    signal += 100 * np.random.default_rng(blocks).standard_normal(len(signal)).astype(np.float32)
    whole = block_convolved(signal, ROOM)
    monkeypatch.setattr("minikaldi.feat.reverberate.GROUP_SAMPLES", 1)
    np.testing.assert_allclose(block_convolved(signal, ROOM), whole, atol=5e-2)  # as above


def test_power_of_a_long_signal_is_its_mean_square() -> None:
    signal = (3000 * np.random.default_rng(4).standard_normal(300_001) + 500).astype(np.float32)
    # float32 sums of 65,536 values: 1e-6 of the sum, as the kernel adds them in 32 strands or more
    assert mean_square(signal) == pytest.approx(float(np.mean(signal.astype(np.float64) ** 2)), rel=2e-6)
    assert mean_square(signal[:0]) == 0.0


def test_convolution_differs_from_the_exact_one_by_the_packed_pair_alone() -> None:
    """A signal and a response without energy at 0 Hz and at half the rate are convolved exactly."""
    time = np.arange(256)
    response = (np.hanning(64) * np.sin(2 * np.pi * 0.25 * np.arange(64))).astype(np.float32)
    signal = (1000 * np.hanning(256) * np.sin(2 * np.pi * 0.25 * time)).astype(np.float32)
    np.testing.assert_allclose(block_convolved(signal, response), np.convolve(signal, response), atol=0.5)


def test_early_part_reaches_from_one_millisecond_before_to_fifty_after_the_peak() -> None:
    response = np.zeros(4000, np.float32)
    response[[100, 90]] = 1.0, -5.0  # the peak is the largest value, not the largest absolute one
    early = early_response(response, RATE)
    assert len(early) == 16 + 800
    assert early[16] == 1.0


@pytest.mark.parametrize("room", [None, ROOM])
def test_noise_stands_at_its_level_below_the_early_speech(room: np.ndarray | None) -> None:
    raw = CorruptionOptions(normalize_output=False)
    long_noise = np.resize(NOISE, 9000)
    clean = corrupted(SPEECH, RATE, room, [], raw)
    added = corrupted(SPEECH, RATE, room, [noise(long_noise, snr_db=7.0)], raw) - clean
    early = SPEECH if room is None else block_convolved(SPEECH, early_response(room, RATE))
    assert 10 * np.log10(mean_square(early) / mean_square(added)) == pytest.approx(7.0, abs=0.1)


def test_noise_starts_at_its_time_is_not_repeated_and_does_not_lengthen() -> None:
    raw = CorruptionOptions(normalize_output=False)
    added = corrupted(SPEECH, RATE, None, [noise(start_time=0.25)], raw) - SPEECH
    assert len(added) == len(SPEECH)
    assert not added[:4000].any()
    assert added[4000:7000].any()
    assert not added[7000:].any()
    late = corrupted(SPEECH, RATE, None, [noise(start_time=99.0)], raw)
    np.testing.assert_array_equal(late, SPEECH)


@pytest.mark.parametrize("room", [None, ROOM])
def test_output_has_the_power_of_the_input_and_volume_overrides_that(room: np.ndarray | None) -> None:
    output = corrupted(SPEECH, RATE, room, [noise()], CorruptionOptions(shift_output=False))
    whole = output[: len(SPEECH)]
    assert mean_square(whole) == pytest.approx(mean_square(SPEECH), rel=0.1)  # the tail counts
    raw = corrupted(SPEECH, RATE, room, [noise()], CorruptionOptions(normalize_output=False))
    loud = corrupted(SPEECH, RATE, room, [noise()], CorruptionOptions(volume=2.0))
    np.testing.assert_allclose(loud, 2 * raw, rtol=1e-5, atol=1e-2)


def test_shift_puts_the_direct_sound_where_the_input_was() -> None:
    click = np.zeros(2000, np.float32)
    click[500] = 1000.0
    response = np.zeros(300, np.float32)
    response[120] = 1.0
    options = CorruptionOptions(normalize_output=False)
    assert np.argmax(corrupted(click, RATE, response, [], options)) == 500
    unshifted = corrupted(click, RATE, response, [], CorruptionOptions(normalize_output=False, shift_output=False))
    assert np.argmax(unshifted) == 620
    assert len(unshifted) == 2299


@pytest.mark.parametrize(("duration", "length"), [(0.1, 1600), (1.3, 20800)])
def test_duration_cuts_or_repeats_from_the_start(duration: float, length: int) -> None:
    output = corrupted(SPEECH, RATE, None, [], CorruptionOptions(duration=duration))
    np.testing.assert_allclose(output, np.resize(SPEECH, length), rtol=1e-6)


def test_silent_noise_room_and_input_are_defined_and_said(caplog: pytest.LogCaptureFixture) -> None:
    silence = np.zeros(3000, np.float32)
    options = CorruptionOptions()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(corrupted(SPEECH, RATE, None, [noise(silence)], options), SPEECH, rtol=1e-6)
        np.testing.assert_allclose(corrupted(SPEECH, RATE, silence, [], options, "rir.wav"), SPEECH, rtol=1e-6)
    of_noise, of_room = [record.getMessage() for record in caplog.records]
    assert "noise.wav: the noise is silent" in of_noise
    assert of_room == "rir.wav: the impulse response is silent, so the wave is left without a room"
    assert not corrupted(silence, RATE, ROOM, [noise()], options).any()


def test_impulse_response_longer_than_the_wave_is_fine() -> None:
    output = corrupted(SPEECH[:10], RATE, ROOM, [], CorruptionOptions())
    assert output.shape == (10,)
    assert np.isfinite(output).all()


def test_inputs_stay_unchanged() -> None:
    speech, room, added = SPEECH.copy(), ROOM.copy(), NOISE.copy()
    corrupted(SPEECH, RATE, ROOM, [noise()], CorruptionOptions())
    for before, after in ((speech, SPEECH), (room, ROOM), (added, NOISE)):
        np.testing.assert_array_equal(before, after)


def test_empty_input_and_negative_start_are_refused() -> None:
    with pytest.raises(KaldiError, match="no samples"):
        corrupted(SPEECH[:0], RATE, None, [], CorruptionOptions())
    with pytest.raises(KaldiError, match="negative"):
        corrupted(SPEECH, RATE, None, [noise(start_time=-1.0)], CorruptionOptions())
