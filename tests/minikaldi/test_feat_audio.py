"""Audio files of any kind."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import KaldiError
from minikaldi.feat.audio import load_audio, read_audio

RATE = 16000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


def write(path: Path, samples: np.ndarray = TONE, rate: int = RATE, subtype: str | None = None, **kwargs: str) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype, **kwargs)
    return path


def main_frequency(samples: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize(
    ("suffix", "subtype", "format_name", "tolerance"),
    [
        ("wav", "PCM_16", "WAV", 1.0),  # one step of 16 bits
        ("wav", "FLOAT", "WAV", 1.0),
        ("flac", "PCM_16", "FLAC", 1.0),
        ("sph", "PCM_16", "NIST", 1.0),
        ("ogg", "VORBIS", "OGG", 600.0),  # lossy
        ("mp3", "MPEG_LAYER_III", "MP3", 600.0),
    ],
)
def test_formats_decode_to_the_same_samples_in_16_bit_scale(
    tmp_path: Path, suffix: str, subtype: str, format_name: str, tolerance: float
) -> None:
    path = write(tmp_path / f"x.{suffix}", subtype=subtype, format=format_name)
    samples = load_audio(path, RATE)
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    np.testing.assert_allclose(samples[1000:-1000], 32768 * TONE[1000:-1000], atol=tolerance)


def test_opus_at_48_kilohertz_is_resampled(tmp_path: Path) -> None:
    path = write(tmp_path / "x.opus", np.repeat(TONE, 3), 48000, subtype="OPUS", format="OGG")
    samples = load_audio(path, RATE)
    assert len(samples) == RATE
    assert main_frequency(samples, RATE) == pytest.approx(440, abs=1)


def test_channels_are_averaged_or_one_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "stereo.wav", np.stack([TONE, 0 * TONE], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(load_audio(path, RATE), 16384 * TONE, atol=1e-2)  # float32 of values near 1e4
    assert not load_audio(path, RATE, channel=1).any()
    with pytest.raises(KaldiError, match=r"stereo\.wav: has 2 channels, so there is no channel 2"):
        load_audio(path, RATE, channel=2)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100])
def test_any_rate_is_resampled_with_pitch_and_length_kept(tmp_path: Path, rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    samples = load_audio(write(tmp_path / "x.wav", tone, rate), RATE)
    assert len(samples) == RATE
    assert main_frequency(samples, RATE) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_shortens_and_raises_the_pitch_by_the_same_factor(tmp_path: Path, speed: float) -> None:
    samples = load_audio(write(tmp_path / "x.wav"), RATE, speed=speed)
    assert len(samples) == int(np.ceil(RATE / speed))
    assert main_frequency(samples, RATE) == pytest.approx(440 * speed, abs=1)


def test_a_stream_is_read_as_the_file_is(tmp_path: Path) -> None:
    path = write(tmp_path / "x.flac")
    np.testing.assert_array_equal(load_audio(io.BytesIO(path.read_bytes()), RATE), load_audio(path, RATE))


@pytest.mark.parametrize("speed", [0.0, -1.0, 100.0])
def test_a_speed_out_of_range_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(KaldiError, match="speed"):
        load_audio(write(tmp_path / "x.wav"), RATE, speed=speed)


def cut_in_half(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("suffix", "format_name", "said"),
    [("wav", "WAV", "promises"), ("sph", "NIST", "promises"), ("flac", "FLAC", "lost sync")],
)
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, suffix: str, format_name: str, said: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(cut_in_half(write(tmp_path / f"x.{suffix}", format=format_name, subtype="PCM_16")))
    with pytest.raises(KaldiError, match=rf"cut\.{suffix}: .*{said}"):
        read_audio(path)


def test_a_wave_from_a_pipe_without_sizes_is_no_truncated_one(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "x.wav", subtype="PCM_16").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    samples, _ = read_audio(io.BytesIO(bytes(data)))
    assert samples.shape == (1, RATE)


def test_what_is_no_audio_is_refused_by_name_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a wave at all\n")
    write(tmp_path / "none.wav", np.zeros(0))
    write(tmp_path / "nan.wav", np.array([0.0, np.nan]), subtype="FLOAT")
    for name, said in {
        "empty.wav": "the file is empty; remove it",
        "text.wav": "no audio that libsndfile can read.*18 bytes.*convert it",
        "none.wav": "a header and no samples",
        "nan.wav": "not finite numbers",
        "absent.wav": "cannot read: No such file",
    }.items():
        with pytest.raises(KaldiError, match=f"{name}: .*{said}"):
            read_audio(tmp_path / name)


M4A = b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(100)


def test_without_ffmpeg_an_m4a_is_refused_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.m4a").write_bytes(M4A)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KaldiError, match=r"x\.m4a: is MP4/M4A, which needs ffmpeg.*install ffmpeg"):
        read_audio(tmp_path / "x.m4a")


def fake_ffmpeg(folder: Path, script: str) -> None:
    """An ffmpeg that does what the test says."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_ffmpeg_is_given_the_file_and_its_wave_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.m4a").write_bytes(M4A)
    decoded = write(tmp_path / "decoded.wav", subtype="FLOAT")
    fake_ffmpeg(tmp_path, f'echo "$@" > "{tmp_path}/args"; cat "{decoded}"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    np.testing.assert_allclose(load_audio(tmp_path / "x.m4a", RATE), 32768 * TONE, atol=1e-2)
    assert f"-i file:{tmp_path}/x.m4a" in (tmp_path / "args").read_text()


def test_what_a_failing_ffmpeg_says_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.m4a").write_bytes(M4A)
    fake_ffmpeg(tmp_path, "echo 'moov atom not found' >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(KaldiError, match=r"x\.m4a: .*exit 3.*moov atom not found"):
        read_audio(tmp_path / "x.m4a")


def test_what_ffmpeg_decodes_in_part_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.m4a").write_bytes(M4A)
    decoded = write(tmp_path / "decoded.wav", subtype="FLOAT")
    fake_ffmpeg(tmp_path, f'echo "$@" > "{tmp_path}/args"; echo "x.m4a: partial file" >&2; cat "{decoded}"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(KaldiError, match=r"x\.m4a: .*not decode.*partial file; fetch it again"):
        read_audio(tmp_path / "x.m4a")
    with pytest.raises(KaldiError, match=r"standard input: .*partial file"):
        read_audio(io.BytesIO(M4A))
    assert " -xerror " in (tmp_path / "args").read_text()
