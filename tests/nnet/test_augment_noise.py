"""Noise, music, babble: levels, places, repetition, other speakers, silence."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.feat.reverberate import mean_square
from nnet.augment import BabbleOptions, MusicOptions, NoiseOptions
from nnet.augment.audio import AudioReader, DecodedAudio
from nnet.augment.material import Material, NoiseFiles, NoisePool
from nnet.augment.noise import Babble, Music, NoiseStep, Piece, draw_level, mixed, passage_of
from nnet.augment.signal import Signal
from nnet.data.wave_lists import NoiseLine
from tests.nnet.helpers.audio_corpus import voice, write_waves

RATE = 16000.0
RNG = np.random.default_rng(0)
SPEECH = (1000 * RNG.standard_normal(20000)).astype(np.float32)
NOISE = (70 * RNG.standard_normal(20000)).astype(np.float32)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng([0, *seed])


def test_two_samples_by_hand() -> None:
    """Speech of power 25, a noise of power 4 at 0 dB is scaled by 5/2; the sum's power 50 comes back to 25."""
    noisy, silent = mixed(Signal(np.array([5, -5], np.float32)), [Piece(np.array([2, 2], np.float32), 0, 0.0, "n")])
    np.testing.assert_allclose(noisy.samples, np.array([10, 0]) / np.sqrt(2), rtol=1e-6)
    assert noisy.speech_power == pytest.approx(12.5) and silent == []


@pytest.mark.parametrize("snr", [-5.0, 0.0, 7.5, 20.0])
def test_the_level_is_reached_and_the_power_is_kept(snr: float) -> None:
    noisy, _ = mixed(Signal(SPEECH), [Piece(NOISE, 0, snr, "n")])
    gain = float(noisy.samples @ SPEECH - noisy.samples @ NOISE * (NOISE @ SPEECH) / (NOISE @ NOISE))
    gain /= float(SPEECH @ SPEECH - (NOISE @ SPEECH) ** 2 / (NOISE @ NOISE))  # the part of the sum that is speech
    added = noisy.samples - np.float32(gain) * SPEECH
    assert 10 * np.log10(mean_square(np.float32(gain) * SPEECH) / mean_square(added)) == pytest.approx(snr, abs=0.1)
    assert 10 * np.log10(mean_square(noisy.samples) / mean_square(SPEECH)) == pytest.approx(0, abs=1e-3)


def test_the_level_refers_to_the_early_power_where_a_room_came_before() -> None:
    quiet = Signal(SPEECH, speech_power=mean_square(SPEECH) / 10)
    noisy, _ = mixed(quiet, [Piece(NOISE, 0, 0.0, "n")])
    loud, _ = mixed(Signal(SPEECH), [Piece(NOISE, 0, 10.0, "n")])
    np.testing.assert_allclose(noisy.samples, loud.samples, atol=0.05)  # float32


def test_a_silent_noise_adds_nothing_and_silent_speech_gets_none() -> None:
    noisy, silent = mixed(Signal(SPEECH), [Piece(np.zeros(100, np.float32), 7, 0.0, "quiet")])
    np.testing.assert_array_equal(noisy.samples, SPEECH)
    assert silent == ["quiet"]
    nothing = np.zeros(100, np.float32)
    assert not mixed(Signal(nothing), [Piece(NOISE[:100], 0, 0.0, "n")])[0].samples.any()


def test_the_samples_given_are_left_as_they_are() -> None:
    before, noise = SPEECH.copy(), NOISE.copy()
    mixed(Signal(SPEECH), [Piece(NOISE, 0, 0.0, "n")])
    assert np.array_equal(before, SPEECH) and np.array_equal(noise, NOISE)


def test_a_passage_is_a_random_part_and_a_short_noise_is_repeated() -> None:
    ramp = DecodedAudio(np.arange(1000, dtype=np.int16), RATE)
    starts = set()
    for n in range(50):
        found = passage_of(ramp, 990, rng(n))
        assert found[0] <= 10 and np.array_equal(np.diff(found), np.ones(989))
        starts.add(found[0])
    assert starts == set(range(11))
    repeated = passage_of(ramp, 2500, rng(1))
    assert len(repeated) == 2500
    assert np.array_equal((repeated - repeated[0]) % 1000, np.arange(2500) % 1000)
    assert passage_of(ramp, 1000, rng(2)).tolist() == list(range(1000))


def test_levels_are_of_the_list_or_anywhere_between() -> None:
    assert {draw_level([15, 5, 0], False, rng(n)) for n in range(60)} == {15, 5, 0}
    drawn = [draw_level([15, 5, 0], True, rng(n)) for n in range(200)]
    assert min(drawn) > 0 and max(drawn) < 15 and len(set(drawn)) == 200
    assert np.mean(drawn) == pytest.approx(7.5, abs=1.2)  # four standard errors of a uniform mean


def make_material(folder: Path, waves: dict[str, np.ndarray], speakers: dict[str, str], kind: str) -> Material:
    """Files of one kind, by the speakers given, else by speakers of their own names."""
    write_waves(folder, waves)
    reader = AudioReader(RATE, 10**7)
    entries = [NoiseLine(name, speakers.get(name, name), f"{folder}/audio/{name}.wav") for name in waves]
    ids = sorted({entry.spk_id for entry in entries})
    numbers = np.array([ids.index(entry.spk_id) for entry in entries], np.int32)
    return Material(RATE, reader, {kind: NoisePool(NoiseFiles(entries, reader), numbers, ids, "the list")}, (), 10**6)


def added(step: NoiseStep | Music | Babble, signal: Signal, *seed: int) -> list[Piece]:
    """What a step draws."""
    return list(step._pieces(signal, rng(*seed)))


def test_foreground_noises_follow_one_another_at_the_interval(tmp_path: Path) -> None:
    waves = {"a": voice(RNG, 3000), "b": voice(RNG, 5000)}
    material = make_material(tmp_path / "n", waves, {}, "noise")
    step = NoiseStep(NoiseOptions(interval=0.1), material)
    lengths = {"a": 3000, "b": 5000}
    begins = []
    for n in range(30):
        pieces = added(step, Signal(SPEECH), n)
        begins.append(pieces[0].start)
        for piece, later in pairwise(pieces):
            end = piece.start + len(piece.samples)
            assert later.start == end + 1600  # 0.1 s
        for piece in pieces[1:-1]:
            assert len(piece.samples) == lengths[piece.name]
        assert pieces[-1].start + len(pieces[-1].samples) <= len(SPEECH)
        assert piece_is_of(pieces[-1], waves)
        assert all(piece.snr_db in (15, 10, 5, 0) for piece in pieces)
    assert 0 in begins and max(begins) <= 1600  # a chunk begins within a noise, or in the pause before one


def piece_is_of(piece: Piece, waves: dict[str, np.ndarray]) -> bool:
    """Whether the piece is the beginning of its noise."""
    return bool(np.array_equal(piece.samples, waves[piece.name][: len(piece.samples)]))


def test_music_and_background_noise_last_all_along(tmp_path: Path) -> None:
    music = make_material(tmp_path / "m", {"m": voice(RNG, 7000)}, {}, "music")
    noise = make_material(tmp_path / "n", {"n": voice(RNG, 50000)}, {}, "noise")
    for step in (Music(MusicOptions(), music), NoiseStep(NoiseOptions(placement="background"), noise)):
        (piece,) = added(step, Signal(SPEECH), 1)
        assert piece.start == 0 and len(piece.samples) == len(SPEECH)


@pytest.fixture
def voices(tmp_path: Path) -> Material:
    """Four speakers of two utterances each."""
    waves = {f"{spk}{n}": voice(RNG, 9000) for spk in "abcd" for n in range(2)}
    return make_material(tmp_path / "v", waves, {name: name[0] for name in waves}, "speech")


def test_babble_is_of_other_speakers_and_each_is_heard_once(voices: Material) -> None:
    step = Babble(BabbleOptions(voices=(2, 3)), voices)
    numbers = set()
    for n in range(60):
        pieces = added(step, Signal(SPEECH, speaker="b"), n)
        speakers = [piece.name[0] for piece in pieces]
        assert "b" not in speakers and len(set(speakers)) == len(speakers)
        assert all(len(piece.samples) == len(SPEECH) and piece.snr_db in (20, 17, 15, 13) for piece in pieces)
        numbers.add(len(pieces))
    assert numbers == {2, 3} and not voices.notes.take()


def test_babble_of_more_voices_than_speakers_repeats_some_and_reports_it(voices: Material) -> None:
    step = Babble(BabbleOptions(voices=(7, 7)), voices)
    pieces = added(step, Signal(SPEECH, speaker="b"), 1)
    assert len(pieces) == 7 and {piece.name[0] for piece in pieces} == {"a", "c", "d"}
    (note,) = voices.notes.take()
    assert "babble of up to 7 voices, and the list has 3 speakers besides the utterance's own" in note


def test_babble_without_another_speaker_is_refused(tmp_path: Path) -> None:
    waves = {"a0": voice(RNG, 900), "a1": voice(RNG, 900)}
    material = make_material(tmp_path / "v", waves, {"a0": "a", "a1": "a"}, "speech")
    with pytest.raises(InputError, match=r"the list: all are by a, the speaker they would be added to"):
        Babble(BabbleOptions(), material).apply([Signal(SPEECH, speaker="a")], [rng(0)])


def test_a_step_without_noises_says_how_to_get_them(voices: Material) -> None:
    with pytest.raises(InputError, match=r'"noise" needs noise\.list.*--noise-dir'):
        NoiseStep(NoiseOptions(), voices)


def test_a_silent_passage_is_reported_once(tmp_path: Path) -> None:
    material = make_material(tmp_path / "n", {"quiet": np.zeros(3000)}, {}, "noise")
    step = NoiseStep(NoiseOptions(placement="background"), material)
    for n in range(3):
        assert np.array_equal(step.apply([Signal(SPEECH)], [rng(n)])[0].samples, SPEECH)
    assert material.notes.take() == ("quiet: a passage of it is silent; if that is drawn, nothing is added",)
    assert material.notes.take() == ()


def test_each_signal_draws_from_its_own_generator(voices: Material) -> None:
    step = Babble(BabbleOptions(), voices)
    signals = [Signal(SPEECH[: 900 + n], speaker="a") for n in range(4)]
    together = step.apply(signals, [rng(n) for n in range(4)])
    for n, signal in enumerate(signals):
        assert np.array_equal(step.apply([signal], [rng(n)])[0].samples, together[n].samples)
