"""The mini corpus: deterministic, reusable, speech-like, and built so that nothing leaks the speaker."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.options import ConfigError
from local.minicorpus.channels import draw_channel, linear_phase_filter
from local.minicorpus.config import (
    ChannelOptions,
    MiniCorpusConfig,
    SizeOptions,
    SplitOptions,
    TrialOptions,
    read_config,
)
from local.minicorpus.corpus import draw_mini_trials, make_speech
from local.minicorpus.speech import babble_voice, draw_voice, recordings
from local.minicorpus.store import SoundFile
from local.minicorpus.synthesis import formant_cascade, glottal_pulse

SMALL = SizeOptions(train=SplitOptions(8, 3), test=SplitOptions(8, 2))


@pytest.fixture(scope="session")
def config(root: Path) -> MiniCorpusConfig:
    config = read_config(root / "conf" / "mini_corpus.yaml")
    return dataclasses.replace(config, utterance=dataclasses.replace(config.utterance, seconds=(0.3, 0.4)))


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*.wav"))
    return hashlib.md5(b"".join(str(p.relative_to(folder)).encode() + p.read_bytes() for p in files)).hexdigest()


def test_the_audio_does_not_depend_on_the_number_of_jobs(config: MiniCorpusConfig, tmp_path: Path) -> None:
    one, _ = make_speech(config, SMALL, tmp_path / "one", 1)
    two, _ = make_speech(config, SMALL, tmp_path / "two", 2)
    assert one == two and len(one) == 8 * 3 + 8 * 2
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert one[0].path == "train/train000/train000-s00-u00.wav"
    assert soundfile.info(tmp_path / "one" / one[0].path).frames == one[0].num_samples


def test_files_are_reused_for_the_same_parameters_and_made_again_for_others(
    config: MiniCorpusConfig, tmp_path: Path
) -> None:
    sounds, found = make_speech(config, SMALL, tmp_path, 1)
    assert not found
    before = digest(tmp_path)
    assert make_speech(config, SMALL, tmp_path, 1) == (sounds, True)
    (tmp_path / sounds[0].path).unlink()
    assert make_speech(config, SMALL, tmp_path, 1) == (sounds, False)
    assert digest(tmp_path) == before
    assert not make_speech(dataclasses.replace(config, seed=2), SMALL, tmp_path, 1)[1]
    assert digest(tmp_path) != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speech.json", "test", "train"]


def test_a_speaker_does_not_change_when_others_are_added(config: MiniCorpusConfig) -> None:
    voices = [babble_voice(config, "test", index) for index in range(7)]
    first, second = (next(iter(recordings(config, "test", 0, count, voices))) for count in (1, 4))
    assert np.array_equal(first.samples, second.samples)


def test_background_voices_are_never_those_of_the_speaker(config: MiniCorpusConfig) -> None:
    noises = {"white": 0.0, "pink": 0.0, "hum": 0.0, "babble": 1.0}
    babble = dataclasses.replace(config, session=dataclasses.replace(config.session, noises=noises))
    voices = [babble_voice(config, "train", index) for index in range(8)]
    with_own = [r.samples for r in recordings(babble, "train", 3, 2, voices)]
    voices[3] = np.full_like(voices[3], np.nan)  # would poison every sample
    without = [r.samples for r in recordings(babble, "train", 3, 2, voices)]
    assert all(np.array_equal(a, b) for a, b in zip(with_own, without, strict=True))


def test_two_utterances_share_a_session_and_no_more(config: MiniCorpusConfig) -> None:
    voices = [babble_voice(config, "test", index) for index in range(7)]
    sessions = [recording.session_id for recording in recordings(config, "test", 1, 5, voices)]
    assert sessions == [f"test001-s{number}" for number in ("00", "00", "01", "01", "02")]


def test_women_speak_higher_and_have_higher_formants(config: MiniCorpusConfig) -> None:
    voices = [draw_voice(config, "train", index) for index in range(60)]
    for trait in ("f0", "tract_scale"):
        by_gender = {g: np.median([getattr(v, trait) for v in voices if v.gender == g]) for g in "mf"}
        assert by_gender["f"] > 1.08 * by_gender["m"]
    assert sum(voice.gender == "f" for voice in voices) == 30


def test_formants_lie_where_they_are_put() -> None:
    """The cascade's response to a pulse has its peaks within a bin (31 Hz) of centres that are far apart."""
    centres = np.array([500.0, 1500.0, 2500.0, 3500.0, 4500.0])
    pulse = np.zeros(80 * 100)
    pulse[0] = 1.0
    response = formant_cascade(pulse, np.tile(centres, (100, 1)), np.full(5, 60.0), 80, 16000)
    spectrum = np.abs(np.fft.rfft(response[:512]))
    peaks = [k for k in range(1, 256) if spectrum[k] > spectrum[k - 1] and spectrum[k] > spectrum[k + 1]]
    strongest = sorted(sorted(peaks, key=lambda k: -spectrum[k])[:5])
    np.testing.assert_allclose(np.array(strongest) * 16000 / 512, centres, atol=32)


def test_the_cascade_is_the_recursion_written_out() -> None:
    """Against the difference equation sample by sample, coefficients changing at the frame; float64 rounding only."""
    rng = np.random.default_rng(0)
    source, formants = rng.standard_normal(24), np.array([[700.0, 1800.0], [300.0, 2400.0], [650.0, 900.0]])
    radius = np.exp(-np.pi * np.array([60.0, 90.0]) / 16000)
    expected = source.copy()
    for section in range(2):
        signal, past = expected.copy(), [0.0, 0.0]
        for n in range(24):
            b1 = -2 * radius[section] * np.cos(2 * np.pi * formants[n // 8, section] / 16000)
            gain = 1 + b1 + radius[section] ** 2
            # Transposed form: what is carried into a new frame was weighted with the old frame's coefficients.
            expected[n] = gain * signal[n] + past[0]
            past = [past[1] - b1 * expected[n], -(radius[section] ** 2) * expected[n]]
    np.testing.assert_allclose(formant_cascade(source, formants, np.array([60.0, 90.0]), 8, 16000), expected, rtol=1e-9)


def test_the_glottis_is_closed_after_the_open_phase_and_flows_continuously() -> None:
    phase = np.linspace(0, 1, 10001)[:-1]
    flow = glottal_pulse(phase, 0.6)
    assert flow[phase >= 0.6].max() == 0.0 and 0.99 < flow.max() <= 1.0
    assert np.abs(np.diff(flow)).max() < 0.002  # no jump larger than the slope of the closing phase times a step


def test_trials_are_all_cross_session_targets_and_balanced_nontargets() -> None:
    sounds = [
        SoundFile("", f"{spk}-s{session}-u{utt}", spk, f"{spk}-s{session}", 1)
        for spk in "abcd"
        for session in range(2)
        for utt in range(2)
    ]
    genders = {"a": "m", "b": "m", "c": "f", "d": "f"}
    lines = draw_mini_trials(sounds, genders, TrialOptions(same_gender=1, cross_gender=2), seed=5)
    assert len(set(lines)) == len(lines) and lines == sorted(lines)
    kinds = {"target": 0, "same": 0, "cross": 0}
    for line in lines:
        enroll, test, label = line.split()
        if label == "target":
            assert enroll[0] == test[0] and enroll.split("-u")[0] != test.split("-u")[0]
            kinds["target"] += 1
        else:
            assert enroll[0] != test[0]
            kinds["same" if genders[enroll[0]] == genders[test[0]] else "cross"] += 1
    assert kinds == {"target": 4 * 4, "same": 16, "cross": 32}
    assert lines != draw_mini_trials(sounds, genders, TrialOptions(same_gender=1, cross_gender=2), seed=6)


@pytest.mark.slow
def test_the_script_writes_data_directories_that_validate(root: Path, tmp_path: Path, script, validate) -> None:
    text = (root / "conf" / "mini_corpus.yaml").read_text().replace("seconds: [2.0, 5.0]", "seconds: [0.3, 0.4]")
    text = text.replace("noise_seconds: [5.0, 10.0]", "noise_seconds: [0.5, 0.6]")
    text = text.replace("music_seconds: [12.0, 20.0]", "music_seconds: [1, 2]")
    (tmp_path / "conf.yaml").write_text(text)
    arguments = ("--conf", tmp_path / "conf.yaml", "--size", "tiny", "--nj", 2, tmp_path / "audio", tmp_path / "data")
    result = script("make_mini_corpus.py", *arguments)
    for name in ("train", "test", "musan_noise", "musan_music"):
        validate(tmp_path / "data" / name)
    assert "144 utterances of 24 speakers" in result.stderr
    options = read_config(tmp_path / "conf.yaml").augmentation
    assert len((tmp_path / "data" / "rir_list").read_text().splitlines()) == options.rooms * options.rirs_per_room
    assert (tmp_path / "data" / "rir_sets").read_text() == f"1, {tmp_path}/data/rir_list\n"
    assert (tmp_path / "data" / "test" / "trials").is_file()
    assert "found as made before" in script("make_mini_corpus.py", *arguments).stderr
    script("make_mini_corpus.py", "--only-augmentation", *arguments[:2], tmp_path / "audio", tmp_path / "other")
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == [
        "musan_music",
        "musan_noise",
        "rir_list",
        "rir_sets",
    ]


def test_configuration_errors_name_file_and_key(root: Path, tmp_path: Path) -> None:
    text = (root / "conf" / "mini_corpus.yaml").read_text()
    for old, new, message in (
        ("  eq_db: 3.0", "  eq_dB: 3.0", "session.eq_dB is unknown; choose one of: babble_talkers,"),
        ("  eq_db: 3.0", "  eq_db: loud", 'session.eq_db is "loud"; expected a number'),
        ("babble: 0.25", "babble: 0.5", "probabilities of babble, hum, pink, white that sum to 1"),
        ("seed: 1\n", "", "seed is missing; expected an integer"),
        ("talkers: [3, 6]", "talkers: [3, 20]", "sizes.tiny has 8 speakers; babble of 20 other talkers needs more"),
    ):
        (tmp_path / "c.yaml").write_text(text.replace(old, new, 1))
        with pytest.raises(ConfigError) as error:
            read_config(tmp_path / "c.yaml")
        assert str(tmp_path / "c.yaml") in str(error.value) and message in str(error.value)


def test_an_unknown_size_lists_the_choices(tmp_path: Path, script) -> None:
    result = script("make_mini_corpus.py", "--size", "huge", tmp_path / "a", tmp_path / "d", code=1)
    assert "choose one of: full, tiny" in result.stderr


@pytest.mark.parametrize(("telephone", "greatest_db"), [(1.0, -25.0), (0.0, 15.0)])
def test_a_telephone_band_takes_the_high_frequencies_away_and_only_it(telephone: float, greatest_db: float) -> None:
    options = ChannelOptions(3.0, 4.0, telephone, (150.0, 300.0), (3000.0, 4000.0))
    curve = draw_channel(np.random.default_rng(3), options, 16000)
    above_5_khz = curve[int(5000 / 8000 * 256) :].max()
    assert above_5_khz < greatest_db
    assert (above_5_khz > -25.0) == (telephone == 0.0)
    taps = linear_phase_filter(curve)
    response = 20 * np.log10(np.abs(np.fft.rfft(taps)))
    passed = slice(20, 90)  # 0.6 to 2.8 kHz; the window over the taps smooths the curve by a few bins
    assert np.abs(response[passed] - curve[passed]).max() < 3.0
