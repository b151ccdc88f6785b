"""Each option of compute-mfcc-feats and compute-fbank-feats against the slow version of slow_features.py."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT, WAVE, Wave, write_object
from tests.minikaldi.helpers.running import run, table
from tests.minikaldi.helpers.slow_features import Definition, mel, slow_fbank, slow_mfcc, slow_resampled

# White noise far above the rounding of float32, so that no filter is quiet; an offset that has to be taken off.
NOISE = np.rint(300 + 1000 * np.random.default_rng(0).standard_normal(2400)).astype(np.float32)
# Frames are prepared in float32: 1e-7 of samples up to 4,000 in sums of 400, then a log.
TOLERANCE = 1e-3


@pytest.fixture(autouse=True)
def in_folder_with_waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_object("a.wav", WAVE, Wave(16000.0, NOISE[None]))
    Path("wav.scp").write_text("a a.wav\n")


def definition(options: list[str], **defaults: object) -> Definition:
    """The definition that the options on a command line describe."""
    values = dict(defaults)
    for name, text in re.findall(r"--([a-z-]+)=(\S+)", " ".join(options)):
        field = name.replace("-", "_")
        kind = type(getattr(Definition(), field))
        values[field] = text == "true" if kind is bool else kind(text)
    return Definition(**values)


def features(command: str, options: list[str], scp: str = "wav.scp") -> dict[str, np.ndarray]:
    code, _ = run(command, "--dither=0", *options, f"scp:{scp}", "ark:feats.ark")
    assert code == 0
    return table("ark:feats.ark")


FRAMES_AND_FILTERS = [
    [],
    ["--window-type=hamming"],
    ["--window-type=hanning"],
    ["--window-type=rectangular"],
    ["--window-type=sine"],
    ["--window-type=blackman"],
    ["--window-type=blackman", "--blackman-coeff=0.3"],
    ["--snip-edges=false"],
    ["--round-to-power-of-two=false"],
    ["--preemphasis-coefficient=0.5"],
    ["--preemphasis-coefficient=0"],
    ["--remove-dc-offset=false"],
    ["--frame-length=31", "--frame-shift=7.5"],
    ["--frame-length=8", "--frame-shift=12.5", "--snip-edges=false"],
    ["--num-mel-bins=40", "--low-freq=100", "--high-freq=-500"],
    ["--high-freq=3000"],
    ["--vtln-warp=0.9", "--vtln-low=150", "--vtln-high=-700"],
    ["--vtln-warp=1.15", "--vtln-high=6000"],
    ["--use-energy=true", "--energy-floor=4e8"],
    ["--use-energy=true", "--raw-energy=false"],
    ["--use-energy=true", "--raw-energy=false", "--energy-floor=4e8", "--htk-compat=true"],
    ["--use-energy=false", "--htk-compat=true"],
]
CEPSTRA = [
    ["--cepstral-lifter=0"],
    ["--cepstral-lifter=10", "--num-ceps=20", "--num-mel-bins=30"],
    ["--num-ceps=23"],
    ["--num-ceps=1", "--htk-compat=true"],
]
FILTER_BANKS = [
    ["--use-log-fbank=false"],
    ["--use-power=false"],
    ["--use-power=false", "--use-log-fbank=false", "--use-energy=true", "--htk-compat=true"],
]


@pytest.mark.parametrize("options", FRAMES_AND_FILTERS + CEPSTRA, ids=" ".join)
def test_mfcc_equals_its_definition(options: list[str]) -> None:
    ours = features("compute-mfcc-feats", options)["a"]
    np.testing.assert_allclose(ours, slow_mfcc(NOISE, definition(options)), atol=TOLERANCE)


@pytest.mark.parametrize("options", FRAMES_AND_FILTERS + FILTER_BANKS, ids=" ".join)
def test_filter_bank_equals_its_definition(options: list[str]) -> None:
    ours = features("compute-fbank-feats", options)["a"]
    expected = slow_fbank(NOISE, definition(options, use_energy="--use-energy=true" in options))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=TOLERANCE)  # without the log values reach 1e9


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
@pytest.mark.parametrize("rate", [8000, 11025, 22050])
def test_other_sampling_rates_have_their_own_frames_and_filters(command: str, rate: int) -> None:
    write_object("a.wav", WAVE, Wave(float(rate), NOISE[None]))
    slow = slow_mfcc if command == "compute-mfcc-feats" else slow_fbank
    options = [f"--sample-frequency={rate}", "--use-energy=true"]
    np.testing.assert_allclose(features(command, options)["a"], slow(NOISE, definition(options)), atol=TOLERANCE)


@pytest.mark.parametrize(("option", "rate"), [("--allow-downsample=true", 24000), ("--allow-upsample=true", 12000)])
@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_resampled_waves_are_kaldis_windowed_sinc(command: str, option: str, rate: int) -> None:
    write_object("a.wav", WAVE, Wave(float(rate), NOISE[None]))
    resampled = slow_resampled(NOISE, rate, 16000)
    # below the cut-off of either rate, where no filter is quiet
    options = ["--high-freq=5000", "--use-energy=false"]
    slow = slow_mfcc if command == "compute-mfcc-feats" else slow_fbank
    ours = features(command, [*options, option])["a"]
    np.testing.assert_allclose(ours, slow(resampled, definition(options)), atol=TOLERANCE)
    other = "--allow-upsample=true" if "down" in option else "--allow-downsample=true"
    assert run(command, other, "scp:wav.scp", "ark:x")[0] == 1


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_subtracting_the_mean_leaves_columns_of_mean_zero(command: str) -> None:
    plain, centred = features(command, [])["a"], features(command, ["--subtract-mean=true"])["a"]
    np.testing.assert_allclose(centred, plain - plain.mean(axis=0, dtype=np.float64), atol=1e-5)  # float32 near 20


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_a_channel_is_chosen_by_number_and_the_first_by_default(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_object("two.wav", WAVE, Wave(16000.0, np.stack([NOISE, NOISE[::-1]])))
    Path("two.scp").write_text("two two.wav\n")
    Path("back.scp").write_text("back back.wav\n")
    write_object("back.wav", WAVE, Wave(16000.0, NOISE[None, ::-1]))
    backward = features(command, [], "back.scp")["back"]
    np.testing.assert_array_equal(features(command, ["--channel=1"], "two.scp")["two"], backward)
    np.testing.assert_array_equal(features(command, ["--channel=0"], "two.scp")["two"], features(command, [])["a"])
    capfd.readouterr()
    np.testing.assert_array_equal(features(command, ["--channel=-1"], "two.scp")["two"], features(command, [])["a"])
    assert "data with 2 channels; defaulting to zero" in capfd.readouterr().err
    for absent in (2, -2):
        assert run(command, f"--channel={absent}", "scp:two.scp", "ark:x")[0] == 1
        assert f"has 2 channels but you specified channel {absent}" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_waves_below_the_least_duration_are_left_out(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("wav.scp").write_text("a a.wav\nb b.wav\n")
    write_object("b.wav", WAVE, Wave(16000.0, NOISE[None, :1600]))
    argv = ["--min-duration=0.1001", "--write-utt2dur=ark,t:utt2dur"]
    assert list(features(command, argv)) == ["a"]
    said = capfd.readouterr().err
    assert "File: b is too short (0.1 sec): producing no output." in said
    assert " Done 1 out of 2 utterances." in said
    assert Path("utt2dur").read_text() == "a 0.15 \n"
    assert list(features(command, ["--min-duration=0.1"])) == ["a", "b"]
    assert run(command, "--min-duration=1", "scp:wav.scp", "ark:x")[0] == 1


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_durations_are_doubles_in_binary(command: str) -> None:
    features(command, ["--write-utt2dur=ark:utt2dur.ark"])
    assert Path("utt2dur.ark").read_bytes() == b"a \0B" + struct.pack("<bd", 8, 0.15)
    assert table("ark:utt2dur.ark", FLOAT)["a"] == 0.15


@pytest.mark.parametrize(("command", "kind"), [("compute-mfcc-feats", 0o6), ("compute-fbank-feats", 0o7)])
@pytest.mark.parametrize(("energy", "flag"), [("true", 0o100), ("false", 0o20000)])
def test_htk_output_says_what_it_holds(command: str, kind: int, energy: str, flag: int) -> None:
    options = [f"--use-energy={energy}"]
    matrix = features(command, options)["a"]
    run(command, "--dither=0", *options, "--output-format=htk", "scp:wav.scp", "ark:feats.htk")
    header = Path("feats.htk").read_bytes()[2:14]
    assert struct.unpack(">iihH", header) == (13, 100_000, 4 * matrix.shape[1], kind | flag)
    run("copy-feats", "--htk-in=true", "ark:feats.htk", "ark:back.ark")
    np.testing.assert_array_equal(table("ark:back.ark")["a"], matrix)
    assert run(command, "--output-format=sphinx", "scp:wav.scp", "ark:x")[0] == 255


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_warp_maps_are_by_utterance_or_by_speaker(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("wav.scp").write_text("a a.wav\nb a.wav\nc a.wav\n")
    by_option = {warp: features(command, [f"--vtln-warp={warp}"])["a"] for warp in (0.9, 1.1)}
    Path("utt2warp").write_text("a 0.9\nb 1.1\n")
    capfd.readouterr()
    mapped = features(command, ["--vtln-map=ark:utt2warp", "--vtln-warp=1.3"])
    assert list(mapped) == ["a", "b"]
    assert "No vtln-map entry for utterance-id (or speaker-id) c" in capfd.readouterr().err
    Path("spk2warp").write_text("s 0.9\nr 1.1\n")
    Path("utt2spk").write_text("a s\nb r\nc t\n")
    by_speaker = features(command, ["--vtln-map=ark:spk2warp", "--utt2spk=ark:utt2spk"])
    for found in (mapped, by_speaker):
        # a factor goes through float32 in a table and not on the command line
        np.testing.assert_allclose(found["a"], by_option[0.9], atol=1e-4)
        np.testing.assert_allclose(found["b"], by_option[1.1], atol=1e-4)
    assert np.abs(by_option[0.9] - by_option[1.1]).max() > 0.1
    assert run(command, "--utt2spk=ark:utt2spk", "scp:wav.scp", "ark:x")[0] == 255
    Path("utt2spk").write_text("a s\n")
    assert run(command, "--vtln-map=ark:spk2warp", "--utt2spk=ark:utt2spk", "scp:wav.scp", "ark:x")[0] == 255
    assert "b" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("warp", [0.01, 100.0, 0.0, -1.0])
def test_a_warp_that_turns_the_frequencies_round_is_refused(warp: float, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("compute-mfcc-feats", f"--vtln-warp={warp}", "scp:wav.scp", "ark:x")[0] == 255
    assert f"a warp of {warp:g}" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_max_feature_vectors_has_no_effect(command: str) -> None:
    np.testing.assert_array_equal(features(command, ["--max-feature-vectors=3"])["a"], features(command, [])["a"])


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_debug_mel_logs_each_frames_filters(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    linear = features("compute-fbank-feats", ["--use-log-fbank=false"])["a"]
    capfd.readouterr()
    features(command, ["--debug-mel=true"])
    lines = [line.partition("MEL BANKS:")[2] for line in capfd.readouterr().err.splitlines() if "MEL BANKS:" in line]
    logged = np.array([[float(word) for word in line.split()] for line in lines])
    np.testing.assert_allclose(logged, linear, rtol=1e-6)  # written with six decimals, values above 1e6


def test_dither_adds_white_noise_of_its_deviation_to_each_frame() -> None:
    """Power of white noise in each bin: deviation² × samples of a frame; in a filter, times the sum of its weights."""
    write_object("a.wav", WAVE, Wave(16000.0, np.zeros((1, 160_000), np.float32)))
    options = ["--dither=3", "--window-type=rectangular", "--preemphasis-coefficient=0", "--remove-dc-offset=false"]
    argv = [*options, "--use-log-fbank=false", "scp:wav.scp"]
    assert run("compute-fbank-feats", *argv, "ark:feats.ark")[0] == 0
    power = table("ark:feats.ark")["a"].mean(axis=0, dtype=np.float64)
    corners = np.linspace(mel(20), mel(8000), 25)
    bins = np.array([mel(k * 8000 / 256) for k in range(256)])
    weights = [np.interp(bins, corners[i : i + 3], [0, 1, 0]).sum() for i in range(23)]
    # 998 frames of overlapping filters: the mean of a filter of one bin is within 3.2 %, three times that is allowed
    np.testing.assert_allclose(power, 9 * 400 * np.array(weights), rtol=0.1)
    run("compute-fbank-feats", *argv, "ark:again.ark")
    assert Path("again.ark").read_bytes() == Path("feats.ark").read_bytes()


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
@pytest.mark.parametrize(
    ("num_samples", "snipped", "kept"), [(1, None, None), (79, None, None), (80, None, 1), (399, None, 2), (400, 1, 3)]
)
def test_the_shortest_waves(command: str, num_samples: int, snipped: int | None, kept: int | None) -> None:
    """None: no frame, so that the matrix is empty, which Kaldi writes as 0 x 0."""
    write_object("a.wav", WAVE, Wave(16000.0, NOISE[None, :num_samples]))
    for option, expected in (("--snip-edges=true", snipped), ("--snip-edges=false", kept)):
        matrix = features(command, [option])["a"]
        if expected is None:
            assert matrix.shape == (0, 0)
        else:
            slow = slow_mfcc if command == "compute-mfcc-feats" else slow_fbank
            wanted = definition([option], use_energy=command == "compute-mfcc-feats")
            assert len(matrix) == expected
            np.testing.assert_allclose(matrix, slow(NOISE[:num_samples], wanted), atol=TOLERANCE)


@pytest.mark.parametrize("command", ["compute-mfcc-feats", "compute-fbank-feats"])
def test_an_odd_frame_that_is_not_padded_is_refused_as_in_kaldi(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_object("a.wav", WAVE, Wave(11025.0, NOISE[None]))
    argv = ["--sample-frequency=11025", "--round-to-power-of-two=false", "scp:wav.scp", "ark:x"]
    assert run(command, *argv)[0] == 255
    assert "275" in capfd.readouterr().err
