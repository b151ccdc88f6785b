"""Log mels, librosa's MFCC, samples: librosa's numbers, slow versions after the definitions, edges, refusals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import KaldiError
from common.options import ConfigError
from minikaldi.feat.frames import FrameOptions, num_frames, samples_between
from minikaldi.options import parse_command_line
from nnet.config.experiment import get, load
from nnet.features import INPUTS
from nnet.features.framing import BLOCK_FRAMES, Framing, kaldi_framing
from nnet.features.spectrum import inverse_slaney_mel, periodic_hann, slaney_filters, slaney_mel
from tests.nnet.helpers.input_signals import CASES, spoken

GOLDEN = Path(__file__).parent / "data" / "librosa_inputs.npz"


def options_of(root: Path, conf: str, *more: str) -> Any:
    """The options of a file in conf/, changed."""
    kind = "logmel" if conf.startswith("logmel") else conf
    options, _, _ = parse_command_line([f"--config={root}/conf/{conf}.conf", *more], INPUTS[kind].options)
    options.check()
    return options


def features(root: Path, samples: np.ndarray, conf: str, *more: str) -> np.ndarray:
    """What the files in conf/ make of samples."""
    kind = "logmel" if conf.startswith("logmel") else conf
    return INPUTS[kind].compute(samples, options_of(root, conf, *more))


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_librosa(root: Path, case: str) -> None:
    golden = np.load(GOLDEN)
    assert str(golden["librosa_version"]) == "0.11.0"
    conf, _, pad_mode = case.partition("_mfcc_")
    more = [f"--pad-mode={pad_mode}"] if pad_mode else []
    made = features(root, spoken(*CASES[case]), "librosa_mfcc" if pad_mode else conf, *more)
    # librosa rounds its filters to float32, which is 6e-8 of each energy; both results are rounded to float32
    np.testing.assert_allclose(made, golden[case], rtol=2e-6, atol=2e-5)
    assert np.ptp(golden[case]) > 5


def slow_mel(rate: int, fft: int, bins: int, low: float, high: float) -> np.ndarray:
    """Slaney's filters, value by value: (bins, fft // 2 + 1)."""

    def hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    def mels(freq: float) -> float:
        return freq * 3 / 200 if freq < 1000 else 15 + 27 * math.log(freq / 1000, 6.4)

    step = (mels(high) - mels(low)) / (bins + 1)
    edges = [hertz(mels(low) + n * step) for n in range(bins + 2)]
    filters = np.zeros((bins, fft // 2 + 1))
    for n, (left, centre, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        for k in range(fft // 2 + 1):
            freq = k * rate / fft
            if left < freq < right:
                height = (freq - left) / (centre - left) if freq <= centre else (right - freq) / (right - centre)
                filters[n, k] = height * 2 / (right - left)
    return filters


def slow_spectrum(start: int, fft: int, sample: Any, window: int = 0) -> np.ndarray:
    """Power of one frame by the sum that defines it; `sample` gives the wave at any place, `start` is that of the
    window, which is as long as the FFT unless it is said."""
    window = window or fft
    frame = np.array([sample(start + n) * math.sin(math.pi * n / window) ** 2 for n in range(window)])
    waves = np.exp(-2j * np.pi * np.outer(np.arange(fft // 2 + 1), np.arange(window)) / fft)
    return np.abs(waves @ frame) ** 2


def reflected(samples: np.ndarray) -> Any:
    """The wave at any place near its ends: ... 2 1 | 0 1 2 ..."""
    last = len(samples) - 1
    return lambda n: samples[last - abs(last - abs(n))] / 32768


@pytest.mark.parametrize(("center", "high"), [(True, 8000), (False, 11025)])
def test_log_mels_equal_a_slow_version(root: Path, center: bool, high: int) -> None:
    samples = spoken(1900, 22050, 7)
    conf = "logmel" if center else "logmel_hifigan"
    made = features(root, samples, conf, "--peak=0", "--power-floor=1e-9")
    filters = slow_mel(22050, 1024, 80, 0, high)
    mirrored, count = (512, 1 + 1900 // 256) if center else (384, 1900 // 256)
    assert made.shape == (count, 80)
    for t in (0, 3, count - 1):
        power = slow_spectrum(256 * t - mirrored, 1024, reflected(samples))
        expected = np.log(np.maximum(filters @ np.sqrt(power + 1e-9), 1e-5))
        np.testing.assert_allclose(made[t], expected, atol=1e-5)  # float32 of values to 12


def test_log_mels_of_an_emphasised_wave_equal_a_slow_version_between_minus_100_and_0_decibels(root: Path) -> None:
    samples = spoken(3000, 24000, 8)
    made = features(root, samples, "logmel_24k")
    assert made.shape == (1 + 3000 // 256, 80)
    peaked = samples / np.abs(samples).max() * 32768
    emphasised = np.array([x - 0.97 * (peaked[n - 1] if n else 0.0) for n, x in enumerate(peaked)])
    filters = slow_mel(24000, 2048, 80, 125, 7600)
    for t in (0, 4, len(made) - 1):
        power = slow_spectrum(256 * t - 512, 2048, reflected(emphasised), window=1024)
        decibels = np.clip(20 * np.log10(filters @ np.sqrt(power)), -100, 0)
        # float32 of values to 12
        np.testing.assert_allclose(made[t], decibels * math.log(10) / 20, atol=1e-5)
        assert ((decibels > -100) & (decibels < 0)).mean() > 0.9
    loud = features(root, samples, "logmel_24k", "--pre-emphasis=0")
    assert loud.max() == 0 and features(root, samples, "logmel_24k", "--pre-emphasis=0", "--ceiling=0").max() > 0
    assert len(features(root, samples[:0], "logmel_24k")) == 0
    assert np.allclose(features(root, np.zeros(3000, np.float32), "logmel_24k"), math.log(1e-5))


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_librosa_mfcc_equals_a_slow_version(root: Path, pad_mode: str) -> None:
    samples = spoken(2500, 16000, 8)
    made = features(root, samples, "librosa_mfcc", f"--pad-mode={pad_mode}", "--top-db=30")
    zeros = lambda n: samples[n] / 32768 if 0 <= n < 2500 else 0.0  # noqa: E731
    sample = zeros if pad_mode == "constant" else reflected(samples)
    filters = slow_mel(16000, 2048, 128, 0, 8000)
    power = np.array([filters @ slow_spectrum(512 * t - 1024, 2048, sample) for t in range(5)])
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 30)
    for k in (0, 1, 7, 39):
        cosines = [math.cos(math.pi * k * (2 * n + 1) / 256) for n in range(128)]
        scale = math.sqrt((1 if k == 0 else 2) / 128)
        np.testing.assert_allclose(made[:, k], scale * decibels @ cosines, atol=1e-3)  # float32 of values to 600
    assert made.shape == (5, 40)


def test_the_documented_utterance_has_154_frames_of_40(root: Path) -> None:
    """LibriSpeech 61-70968-0000 lasts 4.905 s; the frames are 1 + 78480 // 512."""
    assert features(root, spoken(78480, 16000, 3), "librosa_mfcc").shape == (154, 40)


def test_samples_stand_in_rows_and_the_rest_is_dropped(root: Path) -> None:
    samples = np.arange(-400, 400, dtype=np.float32)[: 160 * 4 + 159]
    made = features(root, samples, "samples")
    assert made.shape == (4, 160) and made.dtype == np.float32
    assert np.array_equal(made.ravel() * 32768, samples[:640])  # a power of two: exact
    assert features(root, np.float32([32767, -32768, 40000, -40000] * 40), "samples").max() == 1.0
    assert features(root, samples[:159], "samples").shape == (0, 160)


def test_silence_has_the_floor_and_finite_values(root: Path) -> None:
    silence = np.zeros(16000, np.float32)
    assert np.allclose(features(root, silence, "logmel"), math.log(1e-5))
    # HiFi-GAN's floor under the power lies below that under the energies
    assert np.allclose(features(root, silence, "logmel_hifigan"), math.log(1e-5))
    mfcc = features(root, silence, "librosa_mfcc")
    assert np.allclose(mfcc[:, 0], -100 * math.sqrt(128)) and np.allclose(mfcc[:, 1:], 0, atol=1e-4)


@pytest.mark.parametrize("conf", ["logmel", "logmel_hifigan", "librosa_mfcc"])
def test_a_few_samples_or_none_give_finite_frames_or_none(root: Path, conf: str) -> None:
    for count in (1, 2, 255, 256, 300):
        made = features(root, spoken(300, 16000, 4)[:count], conf)
        assert made.shape[0] == (
            count // 256 if conf == "logmel_hifigan" else 1 + count // (512 if "mf" in conf else 256)
        )
        assert np.isfinite(made).all()
    assert len(features(root, np.zeros(0, np.float32), conf)) == 0


def test_the_level_is_of_no_matter_with_a_peak_and_moves_the_log_without(root: Path) -> None:
    samples = spoken(4000, 22050, 5)
    half = samples / 2
    peaked = features(root, samples, "logmel_hifigan"), features(root, half, "logmel_hifigan")
    np.testing.assert_allclose(*peaked, atol=1e-6)  # one rounding of float32
    loud, quiet = features(root, samples, "logmel"), features(root, half, "logmel")
    above = quiet > -11  # where the floor has no part
    assert above.mean() > 0.3
    np.testing.assert_allclose((loud - quiet)[above], math.log(2), atol=1e-5)


def test_a_long_wave_in_blocks_has_the_frames_of_its_parts(root: Path) -> None:
    samples = spoken(256 * (BLOCK_FRAMES + 40), 22050, 6)
    whole = features(root, samples, "logmel")
    assert len(whole) > BLOCK_FRAMES + 8
    part = features(root, samples[256 * (BLOCK_FRAMES - 8) :], "logmel")
    np.testing.assert_array_equal(whole[BLOCK_FRAMES - 6 : BLOCK_FRAMES + 30], part[2:38])


def test_filters_have_the_area_of_one_and_mels_invert() -> None:
    filters = slaney_filters(22050.0, 8192, 80, 0.0, 8000.0)
    # sampled every 2.7 Hz, a triangle of 75 Hz and more has its area within a hundredth
    np.testing.assert_allclose(filters.sum(axis=0) * 22050 / 8192, 1, atol=0.01)
    freq = np.array([0.0, 30.0, 999.0, 1000.0, 1001.0, 11025.0])
    np.testing.assert_allclose(inverse_slaney_mel(slaney_mel(freq)), freq, rtol=1e-12)
    assert slaney_mel(1000.0) == pytest.approx(15) and slaney_mel(6400.0) == pytest.approx(42)
    window = periodic_hann(6, 8)
    np.testing.assert_allclose(window, [0, 0, 0.25, 0.75, 1, 0.75, 0.25, 0], atol=1e-15)


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize(("length", "shift"), [(25.0, 10.0), (10.0, 10.0), (25.3125, 10.0625), (32.0, 8.0)])
def test_the_framing_of_kaldi_counts_and_mirrors_as_kaldi(snip_edges: bool, length: float, shift: float) -> None:
    options = FrameOptions(frame_length=length, frame_shift=shift, snip_edges=snip_edges)
    framing = kaldi_framing(options)
    for count in (*range(0, 700, 3), 16000):
        assert framing.num_frames(count) == num_frames(count, options)
    samples = np.arange(1000, dtype=np.float32)
    frames = np.concatenate([block for _, block in framing.blocks(samples)])
    expected = [
        samples_between(
            samples, t * framing.shift - framing.before, t * framing.shift - framing.before + framing.length
        )
        for t in range(num_frames(1000, options))
    ]
    np.testing.assert_array_equal(frames, expected)


def test_a_framing_without_extension_takes_frames_that_fit() -> None:
    framing = Framing(shift=3, length=5)
    assert [framing.num_frames(n) for n in (0, 4, 5, 7, 8)] == [0, 0, 1, 1, 2]
    assert [frames.tolist() for _, frames in framing.blocks(np.arange(8))] == [[[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]]


@pytest.mark.parametrize(
    ("conf", "option", "message"),
    [
        ("logmel", "--high-freq=12000", "within 0 to 11025 Hz"),
        ("logmel", "--low-freq=9000", "edges in order"),
        ("logmel", "--num-mel-bins=500", "is too many: filter"),
        ("logmel", "--num-mel-bins=0", "at least one filter"),
        ("logmel", "--floor=0", "--floor=0: expected a number above 0"),
        ("logmel", "--hop-length=0", "--hop-length=0: expected a number above 0"),
        ("logmel", "--window-length=2000", "expected at most --fft-length=1024"),
        ("logmel", "--peak=2", "expected a share from 0 to 1"),
        ("logmel", "--pre-emphasis=1.5", "--pre-emphasis=1.5 and --ceiling=0: expected a share from 0 to 1"),
        ("logmel_24k", "--floor=1", "--ceiling=1: expected a share from 0 to 1, and 0 or a number above --floor=1"),
        ("librosa_mfcc", "--pad-mode=wrap", "choose one of: constant, reflect"),
        ("librosa_mfcc", "--num-ceps=129", "expected at most --num-mel-bins=128"),
        ("librosa_mfcc", "--amin=0", "--amin=0: expected a number above 0"),
        ("samples", "--frame-samples=0", "--frame-samples=0: expected a number above 0"),
        ("samples", "--frame-length=10", "Invalid option"),
    ],
)
def test_options_that_make_no_sense_are_refused(root: Path, conf: str, option: str, message: str) -> None:
    with pytest.raises(KaldiError, match=message):
        options_of(root, conf, option)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{type: logmel, config: c, dim: 80}", "features.vad is true; expected false for logmel"),
        ("{type: librosa_mfcc, config: c, dim: 40}", "features.vad is true; expected false for librosa_mfcc"),
        ("{type: samples, config: c, dim: 160}", "features.cmvn is true; expected false for samples"),
        ("{type: samples, config: c, dim: 160, cmvn: no, vad: maybe}", "features.vad"),
    ],
)
def test_an_experiment_that_contradicts_its_input_is_refused(root: Path, section: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(root / "conf" / "nnet" / "mini.yaml", [f"features={section}"])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "conf", "rate"),
    [
        ("mfcc", "mfcc", 100.0),  # 10 ms
        ("fbank", "fbank80", 100.0),
        ("logmel", "logmel", 22050 / 256),
        ("logmel", "logmel_hifigan_8k", 22050 / 256),
        ("logmel", "logmel_24k", 24000 / 256),
        ("librosa_mfcc", "librosa_mfcc", 16000 / 512),
        ("samples", "samples", 16000 / 160),
    ],
)
def test_an_experiment_says_how_many_frames_a_second_has(root: Path, kind: str, conf: str, rate: float) -> None:
    plain = "cmvn: false, " if kind == "samples" else ""
    section = f"features={{type: {kind}, config: {root}/conf/{conf}.conf, dim: 30, {plain}vad: false}}"
    assert get(load(root / "conf" / "nnet" / "mini.yaml", [section]), "features.frame_rate") == rate


def test_features_dim_must_be_what_the_option_file_gives(root: Path, tmp_path: Path) -> None:
    for path in sorted((root / "conf" / "nnet").glob("*.yaml")):
        config = load(path)
        assert get(config, "features.columns") == config.features.dim, path
    (tmp_path / "energy.conf").write_text("--num-mel-bins=40\n--use-energy=true\n")
    section = f"features={{type: fbank, config: {tmp_path}/energy.conf, dim: 40}}"
    with pytest.raises(ConfigError, match=r"features.dim is 40, and .*energy.conf gives fbank of 41 columns; set"):
        get(load(root / "conf" / "nnet" / "mini.yaml", [section]), "features.columns")
    (tmp_path / "mfcc.conf").write_text("--num-ceps=24\n")
    section = f"features={{type: mfcc, config: {tmp_path}/mfcc.conf, dim: 24}}"
    assert get(load(root / "conf" / "nnet" / "mini.yaml", [section]), "features.columns") == 24


def test_a_frame_rate_is_of_the_option_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.conf").write_text("--frame-shift=12.5\n")
    section = f"features={{type: fbank, config: {tmp_path}/slow.conf, dim: 23}}"
    assert get(load(root / "conf" / "nnet" / "mini.yaml", [section]), "features.frame_rate") == 80.0
    config = load(root / "conf" / "nnet" / "mini.yaml", [section.replace("slow", "none")])
    with pytest.raises(ConfigError, match=r"features.config: .*none.conf"):
        get(config, "features.frame_rate")


@pytest.mark.parametrize(("kind", "line"), [("fbank", "--frame-shift=0"), ("logmel", "--hop-length=0")])
def test_frames_that_do_not_move_on_are_refused(root: Path, tmp_path: Path, kind: str, line: str) -> None:
    (tmp_path / "still.conf").write_text(f"{line}\n")
    section = f"features={{type: {kind}, config: {tmp_path}/still.conf, dim: 80, vad: false}}"
    config = load(root / "conf" / "nnet" / "mini.yaml", [section])
    with pytest.raises(ConfigError, match=rf"features.config: .*{line}"):
        get(config, "features.frame_rate")


def test_an_experiment_says_whether_it_wants_the_mean_and_the_voice_activity(root: Path) -> None:
    mini = root / "conf" / "nnet" / "mini.yaml"
    assert (get(load(mini), "features.cmvn"), get(load(mini), "features.vad")) == (True, True)
    section = "features={type: samples, config: conf/samples.conf, dim: 160, cmvn: false}"
    assert (get(load(mini, [section]), "features.cmvn"), get(load(mini, [section]), "features.vad")) == (False, True)
