"""Each option of wav-reverberate, extract-segments, wav-to-duration and wav-copy, and the edges of their inputs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.io import WAVE, Wave, read_object, write_object
from tests.minikaldi.helpers.running import make_table, run, table
from tests.minikaldi.helpers.slow_waves import SlowNoise, samples_in, slow_corrupted

RATE = 8000
RNG = np.random.default_rng(0)
SPEECH = np.rint(2000 * RNG.standard_normal(3000)).astype(np.float32)
OTHER = np.rint(1000 * RNG.standard_normal(3000)).astype(np.float32)
NOISES = [np.rint(100 * RNG.standard_normal(length)).astype(np.float32) for length in (900, 5000)]
DECAY = np.exp(-np.arange(400) / 40)
ROOMS = [np.rint(6000 * RNG.standard_normal(400) * DECAY).astype(np.float32) for _ in range(2)]
ROOMS[0][30], ROOMS[1][7] = 30000, 25000  # the direct sound
# 16-bit samples are cut to integers, and Kaldi's convolution, as this one, is float32: values near 10,000 in an FFT
TOLERANCE = 1.5


@pytest.fixture(autouse=True)
def in_folder_with_waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    waves = {
        "in": SPEECH[None],
        "two": np.stack([OTHER, SPEECH]),
        "room": np.stack(ROOMS),
        "noise": NOISES[0][None],
        "long": NOISES[1][None],
        "noises": np.stack([NOISES[0], NOISES[1][:900]]),
    }
    for name, samples in waves.items():
        write_object(f"{name}.wav", WAVE, Wave(float(RATE), samples))


def reverberated(*options: str, source: str = "in.wav") -> np.ndarray:
    """(channels, N) of the output."""
    code, data = run("wav-reverberate", *options, source, "out.wav")
    assert (code, data) == (0, b"")
    samples: np.ndarray = read_object("out.wav", WAVE).samples
    return samples


WITH_NOISES = ["--additive-signals=noise.wav,long.wav", "--snrs=12.5,-3", "--start-times=0.11,0.2"]
NOISE_PAIR = (SlowNoise(NOISES[0], 12.5, 0.11), SlowNoise(NOISES[1], -3, 0.2))
IN_ROOM = ["--impulse-response=room.wav"]

REVERBERATIONS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (WITH_NOISES, {"noises": NOISE_PAIR}),
    (IN_ROOM, {"room": ROOMS[0]}),
    ([*IN_ROOM, "--rir-channel=1"], {"room": ROOMS[1]}),
    ([*IN_ROOM, "--shift-output=false"], {"room": ROOMS[0], "shift": False}),
    ([*IN_ROOM, *WITH_NOISES], {"room": ROOMS[0], "noises": NOISE_PAIR}),
    ([*IN_ROOM, *WITH_NOISES, "--normalize-output=false"], {"room": ROOMS[0], "noises": NOISE_PAIR, "normalize": 0}),
    ([*WITH_NOISES, "--volume=0.3"], {"noises": NOISE_PAIR, "volume": 0.3}),
    (["--volume=0.25", "--normalize-output=true"], {"volume": 0.25}),
    (["--duration=0.2"], {"duration": 0.2}),
    (["--duration=1.3"], {"duration": 1.3}),
    ([*IN_ROOM, "--duration=0.2"], {"room": ROOMS[0], "duration": 0.2}),
    ([*IN_ROOM, "--duration=1.3"], {"room": ROOMS[0], "duration": 1.3}),
    ([*IN_ROOM, *WITH_NOISES, "--duration=1", "--shift-output=false"],
     {"room": ROOMS[0], "noises": NOISE_PAIR, "duration": 1, "shift": False}),
    (["--additive-signals=noises.wav", "--snrs=3", "--start-times=0.05", "--noise-channel=1"],
     {"noises": (SlowNoise(NOISES[1][:900], 3, 0.05),)}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "wanted"), REVERBERATIONS, ids=lambda value: " ".join(value)[:60])
def test_reverberation_equals_its_definition(options: list[str], wanted: dict[str, Any]) -> None:
    expected = slow_corrupted(SPEECH, RATE, **wanted)
    samples = reverberated(*options)
    assert samples.shape == (1, len(expected))
    np.testing.assert_allclose(samples[0], expected, atol=TOLERANCE)


def test_the_input_channel_is_chosen_by_number() -> None:
    np.testing.assert_allclose(reverberated("--input-wave-channel=1", source="two.wav")[0], SPEECH, atol=1)
    np.testing.assert_allclose(reverberated(source="two.wav")[0], OTHER, atol=1)


def test_multi_channel_output_pairs_rooms_and_noises_by_channel(capfd: pytest.CaptureFixture[str]) -> None:
    options = [*IN_ROOM, "--multi-channel-output=true", "--additive-signals=noises.wav", "--snrs=5", "--start-times=0"]
    samples = reverberated(*options, "--rir-channel=1")
    assert "--rir-channel and --noise-channel are ignored" in capfd.readouterr().err
    assert samples.shape == (2, 3000)
    for channel, noise in enumerate([NOISES[0], NOISES[1][:900]]):
        expected = slow_corrupted(SPEECH, RATE, ROOMS[channel], (SlowNoise(noise, 5, 0),))
        np.testing.assert_allclose(samples[channel], expected, atol=TOLERANCE)


def test_multi_channel_noise_must_have_the_rooms_channels(capfd: pytest.CaptureFixture[str]) -> None:
    options = [*IN_ROOM, "--multi-channel-output=true", "--additive-signals=noise.wav", "--snrs=5", "--start-times=0"]
    assert run("wav-reverberate", *options, "in.wav", "out.wav")[0] == 255
    assert "noise.wav: the noise has 1 channels, the impulse response 2" in capfd.readouterr().err


@pytest.mark.parametrize(("duration", "length"), [(2.01, 16080), (8.04, 64320), (16.05, 128399)])
def test_durations_are_counted_in_float32_as_in_kaldi(duration: float, length: int) -> None:
    """In float64 these are 16079, 64319 and 128400."""
    assert reverberated(f"--duration={duration}").shape == (1, length)
    assert samples_in(duration, RATE) == length


def test_a_noise_starts_at_a_sample_counted_in_float32() -> None:
    options = ["--additive-signals=noise.wav", "--snrs=0", "--start-times=2.01", "--normalize-output=false"]
    silence_after = np.concatenate([SPEECH, np.zeros(16000, np.float32)])
    write_object("in.wav", WAVE, Wave(float(RATE), silence_after[None]))
    assert np.flatnonzero(np.abs(reverberated(*options)[0, 3000:]) >= 1)[0] + 3000 == 16080


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--additive-signals=noise.wav"], "--snrs 0 and --start-times 0"),
        (["--additive-signals=noise.wav,long.wav", "--snrs=1", "--start-times=0,0"], "--snrs 1 and"),
        (["--additive-signals=noise.wav", "--snrs=1,2", "--start-times=0"], "names 1 waves, --snrs 2 and"),
        (["--additive-signals=noise.wav", "--snrs=", "--start-times=0"], "names 1 waves, --snrs 0 and"),
        (["--additive-signals=noise.wav", "--snrs=a", "--start-times=0"], "--snrs=a: could not convert"),
        (["--additive-signals=noise.wav", "--snrs=nan", "--start-times=0"], "--snrs=nan: expected finite numbers"),
        (["--additive-signals=noise.wav", "--snrs=1", "--start-times=-1"], "must not be negative"),
        (["--additive-signals=noise.wav", "--snrs=1", "--start-times=0", "--noise-channel=1"], "--noise-channel=1"),
        (["--impulse-response=room.wav", "--rir-channel=2"], "--rir-channel=2, but its channels are 0 to 1"),
        (["--input-wave-channel=-1"], "--input-wave-channel=-1"),
        (["--duration=0.0001"], "holds no sample at 8000 Hz"),
    ],
)
def test_reverberation_refuses_with_file_and_option(
    options: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("wav-reverberate", *options, "in.wav", "out.wav")[0] == 255
    assert said in capfd.readouterr().err
    assert not Path("out.wav").exists()


def test_snrs_without_noises_mean_nothing() -> None:
    np.testing.assert_allclose(reverberated("--snrs=3", "--start-times=0")[0], SPEECH, atol=1)


def test_silent_noises_and_rooms_are_reported_by_name_and_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    for name, channels in (("quiet.wav", 1), ("dead.wav", 2)):
        write_object(name, WAVE, Wave(float(RATE), np.zeros((channels, 500), np.float32)))
    noises = ["--additive-signals=quiet.wav,noise.wav", "--snrs=0,5", "--start-times=0,0"]
    alone = reverberated("--additive-signals=noise.wav", "--snrs=5", "--start-times=0")
    capfd.readouterr()
    np.testing.assert_array_equal(reverberated("--impulse-response=dead.wav", *noises), alone)
    said = capfd.readouterr().err
    assert "quiet.wav: the noise is silent, so nothing is added" in said
    assert "dead.wav: the impulse response is silent, so the wave is left without a room" in said


def test_clipping_is_counted_and_reported_with_what_was_mixed(capfd: pytest.CaptureFixture[str]) -> None:
    """Noises 150 dB below the speech change a sample by less than a hundredth."""
    loud = np.full((1, 100), 16390, np.float32)
    loud[0, 7:9] = -20000, 16000
    write_object("in.wav", WAVE, Wave(float(RATE), loud))
    found = reverberated("--volume=2", "--additive-signals=noise.wav,long.wav", "--snrs=150,150", "--start-times=0,0")
    assert "in.wav among noise.wav and 1 more: 99 of 100 samples were clipped to 16 bits" in capfd.readouterr().err
    assert (
        found[0, 7:9].tolist() == [-32768, pytest.approx(32000, abs=1)] and (np.delete(found[0], [7, 8]) == 32767).all()
    )
    found = reverberated("--volume=1", source="in.wav")
    assert "clipped" not in capfd.readouterr().err and found[0, 0] == 16390


def test_one_sample_is_a_wave(capfd: pytest.CaptureFixture[str]) -> None:
    write_object("one.wav", WAVE, Wave(float(RATE), np.float32([[1000]])))
    expected = slow_corrupted(np.float32([1000]), RATE, ROOMS[0])
    np.testing.assert_allclose(reverberated(*IN_ROOM, source="one.wav")[0], expected, atol=TOLERANCE)
    make_table("ark:one.ark", {"a": read_object("one.wav", WAVE)}, WAVE)
    assert run("wav-to-duration", "ark:one.ark", "ark,t:-") == (0, b"a 0.000125 \n")
    Path("one.scp").write_text("a one.wav\n")
    assert run("compute-mfcc-feats", "--sample-frequency=8000", "scp:one.scp", "ark:feats.ark")[0] == 0
    assert table("ark:feats.ark")["a"].shape == (0, 0)


def segments(lines: list[str], *options: str) -> dict[str, np.ndarray]:
    Path("wav.scp").write_text("r in.wav\ns two.wav\n")
    Path("segments").write_text("".join(f"{line}\n" for line in lines))
    assert run("extract-segments", *options, "scp:wav.scp", "segments", "ark:out.ark")[0] == 0
    return {key: wave.samples for key, wave in table("ark:out.ark", WAVE).items()}


# recording r: 3,000 samples, 0.375 s
SEGMENTS = {
    "plain": ("r 0.1 0.3", (800, 2400)),
    "to the end": ("r 0.2 -1", (1600, 3000)),
    "rounded to the nearest sample": ("r 0.10007 0.29993", (801, 2399)),
    "half a sample is rounded up": ("r 0.1000625 0.3", (801, 2400)),
    "overshoot is cut": ("r 0.2 0.87", (1600, 3000)),
    "overshoot is too much": ("r 0.2 0.88", None),
    "starts at the end": ("r 0.375 0.8", None),
    "starts after the end": ("r 0.4 0.8", None),
    "just long enough": ("r 0.2 0.3001", (1600, 2401)),
    "too short": ("r 0.2 0.299", None),
    "backward": ("r 0.3 0.2", None),
    "negative start": ("r -0.1 0.3", None),
    "end of zero": ("r 0 0", None),
    "end of minus two": ("r 0 -2", None),
    "nothing but minus one is the end": ("r 0 -0.5", None),
    "not a number": ("r nan 0.3", None),
    "infinite": ("r 0 inf", None),
    "no number": ("r 0 0.3s", None),
    "underscores": ("r 0 0.2_5", None),
    "channel that is not there": ("r 0 0.3 1", None),
    "channel of a mono wave": ("r 0 0.3 0", (0, 2400)),
    "channel that is not a number": ("r 0 0.3 A", None),
    "negative channel": ("r 0 0.3 -1", None),
    "six fields": ("r 0 0.3 0 0", None),
    "unknown recording": ("q 0 0.3", None),
}


@pytest.mark.parametrize("case", SEGMENTS)
def test_a_segment_is_cut_at_the_nearest_samples_or_left_out_with_a_warning(
    case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    line, bounds = SEGMENTS[case]
    found = segments([f"x {line}"])
    warned = sum(text.startswith("WARNING") for text in capfd.readouterr().err.splitlines())
    assert warned == (1 if bounds is None else 0)
    assert set(found) == (set() if bounds is None else {"x"})
    if bounds is not None:
        np.testing.assert_array_equal(found["x"], SPEECH[None, bounds[0] : bounds[1]])


def test_each_channel_of_a_recording_can_be_cut() -> None:
    found = segments(["x s 0 0.25 0", "y\ts\t0 0.25 1\r"])
    np.testing.assert_array_equal(np.vstack([found["x"], found["y"]]), np.stack([OTHER, SPEECH])[:, :2000])


def test_least_length_and_most_overshoot_are_options() -> None:
    lines = ["short r 0.1 0.16", "over r 0.2 0.9"]
    assert set(segments(lines)) == set()
    assert set(segments(lines, "--min-segment-length=0.05")) == {"short"}
    assert set(segments(lines, "--max-overshoot=0.53")) == {"over"}
    assert set(segments(lines, "--max-overshoot=0.52")) == set()


def test_a_segment_of_exactly_the_least_length_is_too_short_as_in_kaldi(capfd: pytest.CaptureFixture[str]) -> None:
    """The option is float32, and 0.1 there is 0.10000000149."""
    assert set(segments(["x r 0 0.1", "y r 0 0.25"], "--min-segment-length=0.1")) == {"y"}
    said = capfd.readouterr().err
    assert "Segment x too short" in said
    assert "Successfully processed 1 lines out of 2" in said
    assert set(segments(["x r 0 0.1", "y r 0 0.25"], "--min-segment-length=0.25")) == {"y"}


def test_the_header_reports_the_duration_and_reading_the_entire_file_the_truth(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = Path("in.wav").read_bytes()
    Path("cut.wav").write_bytes(data[:-2000])
    # of a wave that was written into a pipe: both sizes unknown
    streamed = data[:4] + struct.pack("<I", 0x7FFFFFFF) + data[8:40] + struct.pack("<I", 0x7FFFFFFF) + data[44:]
    Path("streamed.wav").write_bytes(streamed)
    Path("wav.scp").write_text("cut cut.wav\nin in.wav\nstreamed streamed.wav\n")
    by_header = run("wav-to-duration", "scp:wav.scp", "ark,t:-")
    assert by_header == (0, b"cut 0.375 \nin 0.375 \nstreamed 0.375 \n")
    capfd.readouterr()
    entire = run("wav-to-duration", "--read-entire-file=true", "scp:wav.scp", "ark,t:-")
    assert entire == (0, b"cut 0.25 \nin 0.375 \nstreamed 0.375 \n")
    said = capfd.readouterr().err
    assert "Truncated file?" in said
    assert "Printed duration for 3 audio files." in said
    assert "Mean duration was 0.333333, min and max durations were 0.25, 0.375" in said


@pytest.mark.parametrize("entire", ["false", "true"])
@pytest.mark.parametrize("sizes", [(36, 0), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (36, 0x7FFFF000)])
def test_a_wave_without_samples_has_no_duration_as_in_kaldi(
    sizes: tuple[int, int], entire: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = Path("in.wav").read_bytes()
    header = data[:4] + struct.pack("<I", sizes[0]) + data[8:40] + struct.pack("<I", sizes[1])
    Path("header.wav").write_bytes(header)
    Path("wav.scp").write_text("a header.wav\nb in.wav\n")
    assert run("wav-to-duration", f"--read-entire-file={entire}", "scp:wav.scp", "ark,t:-")[0] == 255
    said = capfd.readouterr().err
    assert "header.wav" in said and "the wave has no samples" in said
    assert run("wav-to-duration", f"--read-entire-file={entire}", "scp,p:wav.scp", "ark,t:-") == (0, b"b 0.375 \n")


def test_no_waves_are_a_failure_and_nothing_is_measured(capfd: pytest.CaptureFixture[str]) -> None:
    for option in ("false", "true"):
        assert run("wav-to-duration", f"--read-entire-file={option}", "ark:-", "ark,t:-") == (1, b"")
    assert run("wav-copy", "ark:-", "ark:-") == (1, b"")
    assert "Copied 0 wave files" in capfd.readouterr().err


def test_wav_copy_keeps_channels_rate_and_samples_in_both_forms() -> None:
    Path("wav.scp").write_text("a two.wav\nb cat in.wav |\n")
    assert run("wav-copy", "scp:wav.scp", "ark,scp:out.ark,out.scp")[0] == 0
    copies = table("scp:out.scp", WAVE)
    assert copies["a"].sample_rate == RATE
    np.testing.assert_array_equal(copies["a"].samples, np.stack([OTHER, SPEECH]))
    np.testing.assert_array_equal(copies["b"].samples, SPEECH[None])
    assert run("wav-copy", "two.wav", "copy.wav")[0] == 0
    assert Path("copy.wav").read_bytes() == Path("two.wav").read_bytes()
    assert run("wav-copy", "two.wav", "ark:x")[0] != 0


@pytest.mark.parametrize("bad", ["absent.wav", "text.wav", "empty.wav"])
@pytest.mark.parametrize("command", ["wav-copy", "wav-to-duration", "compute-mfcc-feats", "extract-segments"])
def test_a_wave_that_cannot_be_read_is_an_error_with_its_key_and_permission_passes_it_over(
    command: str, bad: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("text.wav").write_text("no wave at all")
    Path("empty.wav").write_bytes(b"")
    Path("wav.scp").write_text(f"bad {bad}\ngood in.wav\n")
    Path("segments").write_text("x bad 0 0.3\ny good 0 0.3\n")
    options = ["--sample-frequency=8000"] if command == "compute-mfcc-feats" else []
    between = ["segments"] if command == "extract-segments" else []
    assert run(command, *options, "scp:wav.scp", *between, "ark,t:o" if "dur" in command else "ark:o")[0] == 255
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("ERROR")
    assert "bad" in said
    assert bad in said
    assert run(command, *options, "scp,p:wav.scp", *between, "ark,t:o" if "dur" in command else "ark:o")[0] == 0
    assert "WARNING" in capfd.readouterr().err
