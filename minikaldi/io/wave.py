"""16-bit PCM waves in RIFF files, with the liberties that pipes need.

Source: Kaldi feat/wave-reader.cc. A writer that cannot seek (sox into a pipe) leaves one of `UNKNOWN_SIZES`; the
samples then go on to the end of the stream. A file that ends early gives what it has, with a warning.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError
from minikaldi.io.primitives import Reader, Writer, read_exactly
from minikaldi.log import warning

UNKNOWN_SIZES = (0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF)
"""What a writer that cannot seek leaves in a header where the length belongs."""

_PCM, _EXTENSIBLE = 1, 0xFFFE
_BLOCK_BYTES = 1 << 24
_MEND = "convert it with: utils/to_wav.py <file> <rate> |"


@dataclass
class Wave:
    """A recording.

    Args:
        sample_rate: Hz.
        samples: (channels, N) float32 in 16-bit scale, -32768…32767.
    """

    sample_rate: float
    samples: npt.NDArray[np.float32]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples.shape[1] / self.sample_rate


@dataclass(frozen=True)
class WaveHeader:
    """What precedes the samples; `data_bytes` is None where the header does not know it."""

    sample_rate: int
    channels: int
    data_bytes: int | None


def read_wave(stream: Reader) -> Wave:
    """One RIFF wave.

    Raises:
        KaldiError: not RIFF, not 16-bit PCM, or without samples; the text says how to convert.
    """
    header = read_wave_header(stream)
    data = _read_samples(stream, header)
    frame_bytes = 2 * header.channels
    if header.data_bytes is not None and len(data) < header.data_bytes:
        warning(f"Expected {header.data_bytes} bytes of wave data, but read only {len(data)} bytes. Truncated file?")
    data = data[: len(data) - len(data) % frame_bytes]
    if not data:
        raise KaldiError("the wave has no samples")
    samples = np.frombuffer(data, dtype="<i2").reshape(-1, header.channels).T.astype(np.float32)
    return Wave(float(header.sample_rate), np.ascontiguousarray(samples))


def read_wave_header(stream: Reader) -> WaveHeader:
    """The chunks before the samples; the stream then stands at the first sample."""
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        found = "an empty file" if not start else f"{start[:12]!r}"
        raise KaldiError(f"expected a RIFF wave, found {found}; {_MEND}")
    riff_size = struct.unpack("<I", start[4:8])[0]
    sample_rate = channels = 0
    while True:
        name, size = struct.unpack("<4sI", read_exactly(stream, 8, "wave chunk header"))
        if name == b"data":
            break
        body = _read_chunk(stream, size)
        if name == b"fmt ":
            sample_rate, channels = _parse_format(body)
    if not channels:
        raise KaldiError(f"the wave has no 'fmt ' chunk before its samples; {_MEND}")
    unknown = riff_size in UNKNOWN_SIZES or size in UNKNOWN_SIZES
    return WaveHeader(sample_rate, channels, None if unknown else size)


def missing_wave_bytes(stream: BinaryIO, total_bytes: int) -> int | None:
    """How many bytes of its samples a RIFF file lacks; None where no header tells the length.

    Args:
        stream: the file, seekable, of any RIFF encoding; it is read from its 13th byte on.
        total_bytes: its size.
    """
    stream.seek(12)
    while len(header := stream.read(8)) == 8:
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return None if length in UNKNOWN_SIZES else max(0, stream.tell() + length - total_bytes)
        stream.seek(length + length % 2, os.SEEK_CUR)
    return None


def write_wave(stream: Writer, wave: Wave) -> None:
    """`wave` as 16-bit PCM; values are truncated toward zero as Kaldi does, and clipped with a warning."""
    values = np.trunc(wave.samples)
    clipped = int(((values < -32768) | (values > 32767)).sum())
    if clipped:
        warning(f"{clipped} of {values.size} samples were out of the 16-bit range and are clipped")
    data = np.clip(values, -32768, 32767).astype("<i2").T.tobytes()
    channels, rate = wave.samples.shape[0], int(wave.sample_rate)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, channels, rate, rate * channels * 2, channels * 2, 16)
    stream.write(struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + fmt)
    stream.write(struct.pack("<4sI", b"data", len(data)))
    stream.write(data)


def _parse_format(body: bytes) -> tuple[int, int]:
    """(sample rate, channels) of a 'fmt ' chunk."""
    if len(body) < 16:
        raise KaldiError(f"the wave's 'fmt ' chunk has {len(body)} bytes, expected 16 or more")
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE and len(body) >= 26:
        code = struct.unpack("<H", body[24:26])[0]  # the first two bytes of the sub-format's id
    if code != _PCM or bits != 16:
        raise KaldiError(f"expected 16-bit PCM, found format {code} with {bits} bits; {_MEND}")
    if channels == 0 or rate == 0:
        raise KaldiError(f"the wave's header says {channels} channels at {rate} Hz")
    return rate, channels


def _read_chunk(stream: Reader, size: int) -> bytes:
    if size > _BLOCK_BYTES:
        raise KaldiError(f"a wave chunk before the samples claims {size} bytes; {_MEND}")
    return read_exactly(stream, size + size % 2, "wave chunk")


def _read_samples(stream: Reader, header: WaveHeader) -> bytes:
    """All bytes of the samples, or as many as there are; blockwise, so that a forged size allocates little."""
    if header.data_bytes is None:
        return stream.read()
    if header.data_bytes <= _BLOCK_BYTES:
        return stream.read(header.data_bytes)
    data = bytearray()
    while missing := header.data_bytes - len(data):
        block = stream.read(min(missing, _BLOCK_BYTES))
        if not block:
            break
        data += block
    return bytes(data)
