"""A wave in a room: exact convolution, Kaldi's levels, the echo of what came before, silent and long responses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.feat.reverberate import early_response, mean_square
from nnet.augment import RoomOptions
from nnet.augment.audio import AudioReader
from nnet.augment.material import Material
from nnet.augment.room import Room, least_length, make_response, put_in_rooms, response_spectra
from nnet.augment.signal import Signal
from nnet.augment.spectra import fast_length
from nnet.data.wave_lists import RirLine
from tests.nnet.helpers.audio_corpus import write_waves

RATE = 16000.0
RNG = np.random.default_rng(0)
SPEECH = (1000 * RNG.standard_normal(9000)).astype(np.float32)
ROOM = np.concatenate([np.zeros(70), [30000], 5000 * RNG.standard_normal(3000) * np.exp(-np.arange(3000) / 500)])
ROOM = np.rint(ROOM).astype(np.float32)


def in_room(signal: Signal, response: np.ndarray = ROOM, length: int = 0) -> Signal:
    """One signal in one room."""
    made = make_response(response, RATE)
    assert made is not None
    length = length or fast_length(least_length(signal, made))
    return put_in_rooms([signal], [made], response_spectra([made], length), length)[0]


def slow(speech: np.ndarray, response: np.ndarray = ROOM) -> np.ndarray:
    """Convolution by the definition, in float64, at the level of the dry speech, without the delay."""
    echoed = np.convolve(speech.astype(np.float64), response / 32768)
    echoed *= np.sqrt(mean_square(speech) / mean_square(echoed))
    return echoed[int(np.argmax(response)) :]


def test_a_room_is_a_convolution_at_the_power_of_the_dry_speech() -> None:
    found = in_room(Signal(SPEECH)).samples
    np.testing.assert_allclose(found, slow(SPEECH)[: len(SPEECH)], atol=0.5)  # float32 FFT of values near 4,000


def test_the_power_with_the_echo_behind_the_end_is_that_of_the_dry_speech() -> None:
    silence = np.zeros(3200, np.float32)  # long enough for the whole echo
    found = in_room(Signal(np.concatenate([SPEECH, silence]))).samples
    total = (found.astype(np.float64) ** 2).sum() / (len(SPEECH) + len(silence) + len(ROOM) - 1)
    assert 10 * np.log10(total / mean_square(np.concatenate([SPEECH, silence]))) == pytest.approx(0, abs=0.02)  # dB


def test_the_delay_of_the_strongest_reflection_is_taken_off() -> None:
    click = np.zeros(2000, np.float32)
    click[500] = 10000
    assert np.argmax(in_room(Signal(click)).samples) == 500


@pytest.mark.parametrize("length", [0, 30720])
def test_noise_levels_refer_to_the_power_of_the_early_part(length: int) -> None:
    """At an FFT length at which each bin counts, and at one at which eight are taken together."""
    signal = in_room(Signal(SPEECH), length=length)
    early = np.convolve(SPEECH.astype(np.float64), early_response(ROOM / 32768, RATE))
    gain = mean_square(SPEECH) / mean_square(np.convolve(SPEECH.astype(np.float64), ROOM / 32768))
    assert signal.speech_power is not None
    assert 10 * np.log10(signal.speech_power / (mean_square(early) * gain)) == pytest.approx(0, abs=0.01)  # dB


def test_the_echo_of_what_came_before_is_heard() -> None:
    whole = np.convolve(SPEECH.astype(np.float64), ROOM / 32768)[70:]
    found = in_room(Signal(SPEECH, context=4000))
    assert len(found.samples) == 5000 and found.context == 0
    gain = found.samples[:3000] @ whole[4000:7000] / (whole[4000:7000] @ whole[4000:7000])
    np.testing.assert_allclose(found.samples, gain * whole[4000:9000], atol=0.5)


def test_a_short_context_gives_the_echo_of_it_alone_and_nothing_wraps_around() -> None:
    """The FFT is as short as it may be: what wraps around falls before the chunk."""
    signal = Signal(SPEECH[3000:], context=1000)
    wet = np.convolve(SPEECH[3000:].astype(np.float64), ROOM / 32768)[70:]
    for length in (fast_length(8000), 16384):
        found = in_room(signal, length=length).samples
        gain = found @ wet[1000:6000] / (wet[1000:6000] @ wet[1000:6000])
        np.testing.assert_allclose(found, gain * wet[1000:6000], atol=0.5)


def test_a_response_longer_than_the_speech_is_heard_as_far_as_the_speech_goes() -> None:
    short = SPEECH[:400]
    np.testing.assert_allclose(in_room(Signal(short)).samples, slow(short)[:400], atol=0.5)
    assert len(in_room(Signal(SPEECH[:1])).samples) == 1


def test_a_unit_impulse_changes_nothing() -> None:
    found = in_room(Signal(SPEECH), np.array([32767], np.float32))
    np.testing.assert_allclose(found.samples, SPEECH, atol=0.01)
    assert found.speech_power == pytest.approx(mean_square(SPEECH), rel=1e-4)  # eight bins at a time


def test_silent_speech_stays_silent() -> None:
    assert not in_room(Signal(np.zeros(500, np.float32))).samples.any()


def test_the_negligible_end_of_a_response_is_cut_off() -> None:
    made = make_response(np.concatenate([ROOM, np.full(5000, 0.001, np.float32)]), RATE)
    assert made is not None and len(made.samples) <= len(ROOM) + 64 and made.delay == 70
    assert make_response(np.zeros(100, np.float32), RATE) is None


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Two rooms, of weights 1 and 3, and a silent one that is never drawn."""
    waves = {"near": np.array([30000.0, 0, 100]), "far": np.concatenate([np.zeros(9), [200.0], np.full(40, -20.0)])}
    write_waves(tmp_path / "rooms", {**waves, "silent": np.zeros(50)})
    weights = {"near": 1.0, "far": 3.0, "silent": 1e-30}
    rirs = [RirLine(name, weight, f"{tmp_path}/rooms/audio/{name}.wav") for name, weight in weights.items()]
    return Material(RATE, AudioReader(RATE, 10**6), {}, tuple(rirs), 10**6)


def test_rooms_are_drawn_by_their_weights_and_each_signal_has_its_own(material: Material) -> None:
    room, count = Room(RoomOptions(), material), 400
    signals = [Signal(SPEECH[: 300 + n % 7]) for n in range(count)]
    found = room.apply(signals, [np.random.default_rng([1, n]) for n in range(count)])
    alone = [room.apply([s], [np.random.default_rng([1, n])])[0] for n, s in enumerate(signals[:20])]
    for together, single in zip(found, alone, strict=False):
        np.testing.assert_allclose(together.samples, single.samples, atol=0.01)  # rows of one FFT round otherwise
    dry = sum(np.abs(f.samples - s.samples).max() < 50 for f, s in zip(found, signals, strict=True))
    assert 70 <= dry <= 130  # a quarter of 400, give or take 3.5 standard deviations
    assert all(len(f.samples) == len(s.samples) for f, s in zip(found, signals, strict=True))


def test_a_silent_room_leaves_the_speech_and_is_reported_once(material: Material) -> None:
    silent = Material(RATE, material.reader, {}, material.rirs[2:], 10**6)
    room = Room(RoomOptions(), silent)
    for _ in range(2):
        found = room.apply([Signal(SPEECH)], [np.random.default_rng(0)])
        assert found[0].samples is SPEECH
    notes = silent.notes.take()
    assert len(notes) == 1 and "silent.wav): is silent; speech is left without a room" in notes[0]


def test_a_room_at_another_rate_is_refused_with_the_mend(material: Material, tmp_path: Path) -> None:
    write_waves(tmp_path / "slow", {"r": ROOM}, rate=8000)
    rirs = (RirLine("r", 1.0, f"{tmp_path}/slow/audio/r.wav"),)
    room = Room(RoomOptions(), Material(RATE, material.reader, {}, rirs, 10**6))
    with pytest.raises(InputError, match=r"r: .*r\.wav is 8000 Hz.*to_wav\.py"):
        room.apply([Signal(SPEECH)], [np.random.default_rng(0)])
