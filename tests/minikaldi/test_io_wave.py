"""RIFF waves: by hand, as pipes write them, damaged."""

from __future__ import annotations

import io
import logging
import struct

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import WAVE, WAVE_HEADER, Wave
from minikaldi.io.wave import UNKNOWN_SIZES

SAMPLES = np.array([[0, 1, -1, 32767, -32768]], dtype=np.float32)


def riff(
    data: bytes,
    data_size: int | None = None,
    riff_size: int | None = None,
    chunk: bytes = b"",
    code: int = 1,
    channels: int = 1,
    bits: int = 16,
) -> bytes:
    """A wave file with a header as wrong as wanted."""
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, code, channels, 8000, 16000 * channels, 2 * channels, bits)
    body = b"WAVE" + head + chunk + b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def read(data: bytes) -> Wave:
    return WAVE.read(io.BufferedReader(io.BytesIO(data)))


def pcm(samples: np.ndarray) -> bytes:
    return samples.T.astype("<i2").tobytes()


def test_wave_by_hand_is_read_and_written_back() -> None:
    data = riff(pcm(SAMPLES))
    wave = read(data)
    assert wave.sample_rate == 8000 and wave.duration == 5 / 8000
    assert wave.samples.dtype == np.float32 and np.array_equal(wave.samples, SAMPLES)
    out = io.BytesIO()
    WAVE.write(out, wave, True)
    assert out.getvalue() == data


def test_channels_are_rows() -> None:
    stereo = np.array([[1, 2, 3], [-1, -2, -3]], dtype=np.float32)
    assert np.array_equal(read(riff(pcm(stereo), channels=2)).samples, stereo)


@pytest.mark.parametrize("size", UNKNOWN_SIZES)
def test_unknown_size_means_up_to_the_end(size: int) -> None:
    assert np.array_equal(read(riff(pcm(SAMPLES), data_size=size, riff_size=size)).samples, SAMPLES)


def test_other_chunks_are_passed_over() -> None:
    chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # odd sizes are padded
    assert np.array_equal(read(riff(pcm(SAMPLES), chunk=chunk)).samples, SAMPLES)


def test_truncated_wave_gives_what_it_has_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "minikaldi"):
        wave = read(riff(pcm(SAMPLES), data_size=100))
    assert np.array_equal(wave.samples, SAMPLES)
    assert "Expected 100 bytes of wave data, but read only 10" in caplog.text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"fLaC and so on", "to_wav.py"),
        (riff(b"", data_size=0), "no samples"),
        (riff(b"\0\0", bits=24), "24 bits.*to_wav.py"),
        (riff(b"\0\0", code=3, bits=32), "format 3"),
        (riff(b"\0\0", channels=0), "0 channels"),
        (riff(b"")[:20], "truncated"),
    ],
)
def test_what_is_no_wave_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(KaldiError, match=message):
        read(data)


def test_header_alone_can_be_read() -> None:
    header = WAVE_HEADER.read(io.BufferedReader(io.BytesIO(riff(pcm(SAMPLES)))))
    assert (header.sample_rate, header.channels, header.data_bytes) == (8000, 1, 10)


def test_writing_truncates_and_clips_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    out = io.BytesIO()
    with caplog.at_level(logging.WARNING, "minikaldi"):
        WAVE.write(out, Wave(8000, np.array([[1.9, -1.9, 40000, -40000]], dtype=np.float32)), True)
    assert np.array_equal(read(out.getvalue()).samples, [[1, -1, 32767, -32768]])
    assert "2 of 4 samples" in caplog.text


def test_wave_as_text_is_refused() -> None:
    with pytest.raises(KaldiError, match="text"):
        WAVE.write(io.BytesIO(), Wave(8000, SAMPLES), False)
