"""The feature and wave commands: what the golden cases do not show."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from minikaldi.feat.mfcc import MfccOptions, compute_mfcc
from minikaldi.feat.reverberate import block_convolved
from minikaldi.featbin.compute_feats import ComputeFbankOptions, ComputeMfccOptions
from minikaldi.io import FLOAT_MATRIX, WAVE, Wave, read_object, sequential, write_object
from minikaldi.options import parse_command_line
from minikaldi.running import run_command

SPEECH = np.rint(1000 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)


@pytest.fixture
def waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str]) -> Path:
    """A folder, made the current one, with half a second of noise in a.wav, b.wav, 79 samples in short.wav."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", command_env["PATH"])
    for name, samples in {"a": SPEECH, "b": SPEECH[::-1], "short": SPEECH[:79]}.items():
        write_object(f"{name}.wav", WAVE, Wave(16000.0, samples[None]))
    Path("wav.scp").write_text("a a.wav\nb b.wav\n")
    return tmp_path


def run(*argv: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Exit code and standard output of a command run in this process."""
    stdout = io.BytesIO()
    return run_command(list(argv), io.BytesIO(stdin), stdout), stdout.getvalue()


def features(path: str = "feats.ark") -> dict[str, np.ndarray]:
    return dict(sequential(f"ark:{path}", FLOAT_MATRIX))


def test_conf_files_are_those_of_the_recipe(root: Path) -> None:
    mfcc, _, _ = parse_command_line([f"--config={root}/conf/mfcc.conf"], ComputeMfccOptions)
    fbank, _, _ = parse_command_line([f"--config={root}/conf/fbank.conf"], ComputeFbankOptions)
    assert (mfcc.num_ceps, mfcc.num_mel_bins, fbank.num_mel_bins) == (30, 30, 30)
    for options in (mfcc, fbank):
        assert (options.low_freq, options.high_freq, options.snip_edges, options.dither) == (20, 7600, False, 0)


def test_dithered_features_depend_on_the_key_not_on_the_order(waves: Path) -> None:
    run("compute-mfcc-feats", "scp:wav.scp", "ark:feats.ark")
    forward = features()
    Path("wav.scp").write_text("b b.wav\na a.wav\n")
    run("compute-mfcc-feats", "scp:wav.scp", "ark:feats.ark")
    backward = features()
    for key in ("a", "b"):
        np.testing.assert_array_equal(forward[key], backward[key])


def test_an_utterance_too_short_for_a_frame_is_reported_and_leaves_an_empty_matrix(
    waves: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("wav.scp").write_text("a a.wav\nshort short.wav\n")
    code, _ = run("compute-mfcc-feats", "--snip-edges=false", "scp:wav.scp", "ark:feats.ark")
    said = capfd.readouterr().err
    assert code == 0
    assert "short: 79 samples are too short for a frame of 25 ms" in said
    assert "1 of 2 utterances are too short" in said
    assert features()["short"].shape == (0, 0)


def test_bad_options_stop_before_the_first_utterance(waves: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _ = run("compute-mfcc-feats", "--num-ceps=24", "scp:wav.scp", "ark:feats.ark")
    said = capfd.readouterr().err
    assert code == 255
    assert "--num-ceps=24 must lie between 1 and --num-mel-bins=23" in said
    assert "utterance" not in said


def test_warp_factors_are_taken_by_speaker(waves: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("utt2spk").write_text("a s1\nb s2\n")
    Path("warps").write_text("s1 1.1\n")
    mapped = ["--vtln-map=ark,t:warps", "--utt2spk=ark,t:utt2spk"]
    code, _ = run("compute-mfcc-feats", "--dither=0", *mapped, "scp:wav.scp", "ark:feats.ark")
    assert code == 0
    expected = compute_mfcc(SPEECH, 16000, MfccOptions(dither=0.0), vtln_warp=1.1)
    np.testing.assert_allclose(features()["a"], expected, atol=1e-4)  # 1.1 is not the same in float32
    assert "b" not in features()
    assert "No vtln-map entry for utterance-id (or speaker-id) b" in capfd.readouterr().err


def test_htk_output_has_htks_header_and_order(waves: Path) -> None:
    Path("wav.scp").write_text("a a.wav\n")
    argv = ["--dither=0", "--use-energy=false", "--output-format=htk", "scp:wav.scp", "ark:feats.htk"]
    assert run("compute-fbank-feats", *argv)[0] == 0
    data = Path("feats.htk").read_bytes()
    assert data[:2] == b"a "
    assert struct.unpack(">iihH", data[2:14]) == (48, 100_000, 4 * 23, 7 | 0o20000)
    run("compute-fbank-feats", *argv[:2], "scp:wav.scp", "ark:feats.ark")
    np.testing.assert_array_equal(np.frombuffer(data[14:], ">f4").reshape(48, 23), features()["a"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--impulse-response=absent.wav"], "absent.wav"),
        (["--additive-signals=b.wav", "--snrs=5", "--start-times=x"], "--start-times=x"),
        (["--additive-signals=low.wav", "--snrs=5", "--start-times=0"], "low.wav: the noise is 8000 Hz"),
        (["--input-wave-channel=1"], "a.wav: --input-wave-channel=1"),
        (["--multi-channel-output=true"], "give one"),
    ],
)
def test_wav_reverberate_refuses_with_file_and_option(
    waves: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    write_object("low.wav", WAVE, Wave(8000.0, SPEECH[None]))
    assert run("wav-reverberate", *options, "a.wav", "o.wav")[0] == 255
    assert said in capfd.readouterr().err


def test_multi_channel_output_has_a_channel_for_each_of_the_room(waves: Path) -> None:
    rooms = np.zeros((2, 50), np.float32)
    rooms[0, 0], rooms[1, 10] = 32767, 16384
    write_object("room.wav", WAVE, Wave(16000.0, rooms))
    argv = ["--multi-channel-output=true", "--shift-output=false", "--normalize-output=false", "--duration=0.5"]
    assert run("wav-reverberate", *argv, "--impulse-response=room.wav", "a.wav", "o.wav")[0] == 0
    samples = read_object("o.wav", WAVE).samples
    assert samples.shape == (2, 8000)
    for channel in (0, 1):
        expected = block_convolved(SPEECH, rooms[channel] / np.float32(32768))[:8000]
        np.testing.assert_allclose(samples[channel], expected, atol=1)  # 16-bit steps


def test_reverberated_noise_may_itself_be_a_pipe(waves: Path) -> None:
    noise = "wav-reverberate --duration=0.5 short.wav - |"
    options = [f"--additive-signals={noise}", "--snrs=0", "--start-times=0", "--normalize-output=false"]
    code, data = run("wav-reverberate", *options, "a.wav", "-")
    assert code == 0
    added = soundfile.read(io.BytesIO(data), dtype="int16")[0] - SPEECH
    assert np.mean(added**2) == pytest.approx(np.mean(SPEECH**2), rel=0.02)


def test_segments_that_cannot_be_cut_are_reported_and_counted(waves: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = ["ok a 0.1 0.3", "end a 0.2 -1", "five a 0 0.2 0", "gone c 0 1", "word a x 1", "back a 0.3 0.2", "few a 0"]
    Path("segments").write_text("\r\n".join([*lines, "far a 0.9 1", "chan a 0 0.2 3"]) + "\r\n")
    code, _ = run("extract-segments", "scp:wav.scp", "segments", "ark:wav.ark")
    said = capfd.readouterr().err
    lengths = {key: wave.samples.shape[1] for key, wave in sequential("ark:wav.ark", WAVE)}
    assert (code, lengths) == (0, {"ok": 3200, "end": 4800, "five": 3200})
    for part in ("recording c, skipping segment gone", "could not convert string", "few a 0", "Invalid channel 3 >= 1"):
        assert part in said
    assert "processed 3 lines out of 9" in said


def test_a_stereo_recording_needs_a_channel_in_the_segments(waves: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_object("a.wav", WAVE, Wave(16000.0, np.stack([SPEECH, 0 * SPEECH])))
    Path("segments").write_text("s a 0 0.2\n")
    assert run("extract-segments", "scp:wav.scp", "segments", "ark:wav.ark")[0] == 255
    assert "segment s: recording a has 2 channels; name one" in capfd.readouterr().err


@pytest.mark.parametrize("options", [[], ["--read-entire-file=true"]])
def test_durations_come_from_headers_archives_and_pipes(waves: Path, options: list[str]) -> None:
    Path("wav.scp").write_text("a a.wav\nb cat b.wav |\nc wav-reverberate --duration=0.25 a.wav - |\n")
    assert run("wav-to-duration", *options, "scp:wav.scp", "ark,t:-") == (0, b"a 0.5 \nb 0.5 \nc 0.25 \n")
    run("wav-copy", "scp:wav.scp", "ark:wav.ark")
    assert run("wav-to-duration", *options, "ark:wav.ark", "ark,t:-")[1] == b"a 0.5 \nb 0.5 \nc 0.25 \n"


def test_to_wav_takes_its_rate_either_way_and_clips_with_a_count(
    waves: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loud = np.tile(np.float32([1.5, -1.5, 0.25, 0.0]), 100)
    soundfile.write("loud.wav", np.stack([loud, loud], axis=1), 8000, subtype="FLOAT")
    code, data = run("to_wav.py", "loud.wav")
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert (code, rate, samples.shape) == (0, 8000, (400,))
    np.testing.assert_array_equal(samples[:4], [32767, -32768, 8192, 0])
    assert "loud.wav: 200 of 400 samples were clipped" in capfd.readouterr().err
    assert run("to_wav.py", "loud.wav", "16000")[1] == run("to_wav.py", "--rate", "16000", "loud.wav")[1]
    spaced = run("to_wav.py", "--speed", "1.1", "--rate", "16000", "loud.wav")
    assert spaced == run("to_wav.py", "--speed=1.1", "--rate=16000", "loud.wav")
    assert run("to_wav.py", "--rate=8000", "loud.wav", "16000")[0] == 255


def test_a_table_of_flac_files_is_read_through_to_wav(waves: Path) -> None:
    soundfile.write("a.flac", SPEECH / 32768, 16000, subtype="PCM_16")
    Path("flac.scp").write_text("a to_wav.py a.flac 16000 |\n")
    run("compute-mfcc-feats", "--dither=0", "scp:flac.scp", "ark:feats.ark")
    np.testing.assert_array_equal(features()["a"], compute_mfcc(SPEECH, 16000, MfccOptions(dither=0.0)))


@pytest.mark.slow
def test_to_wav_as_a_process_finds_a_python_with_numpy(waves: Path, root: Path) -> None:
    """Under real Kaldi it is a process of its own, maybe with a Python that has nothing installed."""
    soundfile.write("a.flac", SPEECH / 32768, 16000, subtype="PCM_16")
    bare = {"PATH": "/usr/bin:/bin"}
    if not (root / ".venv/bin/python3").exists():
        pytest.skip("the checkout has no .venv: the running Python serves it")
    if shutil.which("python3", path=bare["PATH"]) is None:
        pytest.skip("no Python in /usr/bin")
    done = subprocess.run([root / "utils" / "to_wav.py", "a.flac", "16000"], env=bare, capture_output=True, check=True)
    samples, _ = soundfile.read(io.BytesIO(done.stdout), dtype="int16")
    np.testing.assert_array_equal(samples, SPEECH)
    failed = subprocess.run([root / "utils" / "to_wav.py", "absent.flac"], env=bare, capture_output=True, check=False)
    assert failed.returncode != 0
    assert b"absent.flac: cannot read" in failed.stderr
    assert failed.stdout == b""
