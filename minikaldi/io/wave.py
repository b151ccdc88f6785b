"""16-bit PCM waves in RIFF files, from pipes too.

Source: Kaldi feat/wave-reader.cc. A writer that cannot seek (sox into a pipe) writes one of `UNKNOWN_SIZES`; the
samples then go on to the end of the stream. If a file ends early, the samples that it has are read, with a warning.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.errors import KaldiError
from common.log import warning
from minikaldi.io.places import MalformedError, malformed, place_of
from minikaldi.io.primitives import Reader, Writer, read_exactly

UNKNOWN_SIZES = (0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF)
"""Sizes in a header that mean to Kaldi that the writer, which could not seek, did not know the length."""

_NEAR = 1 << 16  # more than a header and a frame

_PCM, _EXTENSIBLE = 1, 0xFFFE
_SUB_FORMAT_END = bytes.fromhex("000000001000800000aa00389b71")  # of an id whose first two bytes are a format's code
MOST_CHUNKS = 1000
"""The most before the samples; otherwise a file of zeros, which looks like empty chunks, would be read for minutes."""

_BLOCK_BYTES = 1 << 24
_BLOCK_SAMPLES = 1 << 20
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
    """What precedes the samples.

    Attributes:
        sample_rate: Hz.
        channels: number of channels.
        data_bytes: size of the samples; None if the header does not give it.
    """

    sample_rate: int
    channels: int
    data_bytes: int | None


def read_wave(stream: Reader) -> Wave:
    """Read one RIFF wave.

    Raises:
        MalformedError: not RIFF, not 16-bit PCM, or without samples; the text names the byte, and how to convert.
    """
    begin = place_of(stream)
    header = read_wave_header(stream)
    if header.data_bytes is None and begin:  # in a file of its own a wave begins at byte 0
        warning(f"byte {begin}: a wave without a length in its header is read to the end of the archive")
    data = _read_samples(stream, header)
    frame_bytes = 2 * header.channels
    if header.data_bytes is not None and len(data) < header.data_bytes:
        warning(f"Expected {header.data_bytes} bytes of wave data, but read only {len(data)} bytes. Truncated file?")
    elif len(data) % frame_bytes:
        warning(f"The last {len(data) % frame_bytes} of {len(data)} bytes of wave data are a partial sample; left out")
    whole = len(data) - len(data) % frame_bytes
    if not whole:
        raise malformed(stream, "the wave has no samples", back=len(data))
    samples = np.frombuffer(data, dtype="<i2", count=whole // 2).reshape(-1, header.channels).T.astype(np.float32)
    return Wave(float(header.sample_rate), np.ascontiguousarray(samples))


def read_wave_header(stream: Reader) -> WaveHeader:
    """Read the chunks before the samples; the stream is then at the first sample."""
    riff_size = _read_riff(stream)
    sample_rate = channels = 0
    for _ in range(MOST_CHUNKS):
        name, size = struct.unpack("<4sI", read_exactly(stream, 8, "wave chunk header"))
        if name == b"data":
            break
        body = _read_chunk(stream, name, size)
        if name == b"fmt ":
            sample_rate, channels = _parse_format(stream, body)
        _pass_padding(stream, size)
    else:
        raise malformed(stream, f"the wave has more than {MOST_CHUNKS} chunks and no samples; {_MEND}")
    if not channels:
        raise malformed(stream, f"the wave has no 'fmt ' chunk before its samples; {_MEND}", back=8)
    return WaveHeader(sample_rate, channels, None if _is_streamed(riff_size, size) else size)


def whole_wave_header(stream: Reader, total_bytes: int) -> WaveHeader | None:
    """The header of a wave file that Kaldi reads as it is: 16-bit PCM, of known length, with all its samples.

    Args:
        stream: the file from its beginning; afterwards it is at the first sample.
        total_bytes: size of the file.

    Returns:
        None for any other file.
    """
    try:
        header = read_wave_header(stream)
    except KaldiError:  # another encoding, or no wave
        return None
    return header if 0 < (header.data_bytes or 0) <= total_bytes - stream.tell() else None


def _read_riff(stream: Reader) -> int:
    """The size in the file's first twelve bytes."""
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        found = "an empty file" if not start else f"{start[:12]!r}"
        raise malformed(stream, f"expected a RIFF wave, found {found}; {_MEND}", back=len(start))
    return int.from_bytes(start[4:8], "little")


def _is_streamed(riff_size: int, data_size: int) -> bool:
    """Whether the writer did not know the length, so that the samples go on to the end of the stream."""
    return riff_size in (0, 0xFFFFFFFF) or data_size in UNKNOWN_SIZES


def is_unknown_size(size: int) -> bool:
    """Whether a size is one that a writer leaves if it cannot seek: 0, or about the largest possible one.

    2 and 4 GiB, and 2^63 and 2^64, less a header or rounded to whole frames (sox: 0x7ffff000 and less; lame, opusdec:
    0x7fffffff less a header; ffmpeg: 0xffffffff; arecord: 0x80000000), and sox's 0x7f000000 in AIFF.
    """
    near = any(top - _NEAR < size < top + _NEAR for top in (1 << 31, 1 << 32, 1 << 63, 1 << 64))
    return size == 0 or near or 0 <= size - 0x7F000000 < 64


def _pass_padding(stream: Reader, size: int) -> None:
    """Skip the zero byte after a chunk of odd size; some writers leave it out."""
    if size % 2 and stream.peek(1)[:1] == b"\0":
        stream.read(1)


@dataclass(frozen=True)
class SamplesPlace:
    """The place of the samples in a RIFF file.

    Attributes:
        offset: their first byte.
        present: bytes from there to the end of the file.
        claimed: bytes by the header; None if the writer did not know them.
    """

    offset: int
    present: int
    claimed: int | None

    @property
    def missing(self) -> int | None:
        """Bytes that the file lacks; None if the header does not give the length."""
        return None if self.claimed is None else max(0, self.claimed - self.present)


def samples_place(stream: Reader, total_bytes: int) -> SamplesPlace | None:
    """Find the samples of a RIFF file of any encoding; None if it has none.

    Args:
        stream: the file from its beginning, seekable: other chunks are not read.
        total_bytes: its size.
    """
    start = stream.read(12)
    for _ in range(MOST_CHUNKS):
        header = stream.read(8)
        length = int.from_bytes(header[4:], "little")
        if len(header) < 8:
            break
        if header[:4] == b"data":
            offset = stream.tell()
            present, riff_size = max(0, total_bytes - offset), int.from_bytes(start[4:8], "little")
            streamed = _is_streamed(riff_size, length) or (is_unknown_size(length) and length > present)
            return SamplesPlace(offset, present, None if streamed else length)
        stream.seek(length, os.SEEK_CUR)
        _pass_padding(stream, length)
    return None


def write_wave(stream: Writer, wave: Wave) -> None:
    """Write a wave as 16-bit PCM; values are truncated toward zero as in Kaldi, and clipped with a warning."""
    channels, count = wave.samples.shape
    rate, num_bytes = int(wave.sample_rate), 2 * wave.samples.size
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, channels, rate, rate * channels * 2, channels * 2, 16)
    stream.write(struct.pack("<4sI4s", b"RIFF", 36 + num_bytes, b"WAVE") + fmt)
    stream.write(struct.pack("<4sI", b"data", num_bytes))
    clipped = 0
    for at in range(0, count, _BLOCK_SAMPLES):
        samples, outside = _within_16_bits(wave.samples[:, at : at + _BLOCK_SAMPLES])
        clipped += outside
        stream.write(samples.astype("<i2").T.tobytes())
    if clipped:
        warning(f"{clipped} of {wave.samples.size} samples were out of the 16-bit range and are clipped")


def _within_16_bits(samples: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], int]:
    """The samples, clipped to 16 bits, and the number of clipped ones."""
    if samples.min() > -32769 and samples.max() < 32768:
        return samples, 0
    values = np.trunc(samples)
    return np.clip(values, -32768, 32767), int(((values < -32768) | (values > 32767)).sum())


def _parse_format(stream: Reader, body: bytes) -> tuple[int, int]:
    """(sample rate, channels) of a 'fmt ' chunk, which was just read."""

    def fault(text: str) -> MalformedError:
        """The error, at the beginning of the chunk."""
        return malformed(stream, text, back=len(body))

    if len(body) < 16:
        raise fault(f"the wave's 'fmt ' chunk has {len(body)} bytes, expected 16 or more")
    code, channels, rate, byte_rate, frame_bytes, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE:
        if len(body) < 40:
            raise fault(f"the wave's extensible 'fmt ' chunk has {len(body)} bytes, expected 40")
        if body[26:40] != _SUB_FORMAT_END:
            raise fault(f"expected 16-bit PCM, found the sub-format {body[24:40].hex()}; {_MEND}")
        code = int.from_bytes(body[24:26], "little")
    if code != _PCM or bits != 16:
        raise fault(f"expected 16-bit PCM, found format {code} with {bits} bits; {_MEND}")
    if channels == 0 or rate == 0:
        raise fault(f"the wave's header says {channels} channels at {rate} Hz")
    if frame_bytes != 2 * channels or byte_rate != 2 * channels * rate:
        raise fault(
            f"the wave's header says {frame_bytes} bytes a sample and {byte_rate} a second, but {channels} channels at "
            f"{rate} Hz have {2 * channels} and {2 * channels * rate}; {_MEND}"
        )
    return rate, channels


def _read_chunk(stream: Reader, name: bytes, size: int) -> bytes:
    if size > _BLOCK_BYTES:
        text = f"the wave's chunk {name!r} before the samples claims {size} bytes; {_MEND}"
        raise malformed(stream, text, back=8)
    return read_exactly(stream, size, f"wave chunk {name!r}")


def _read_samples(stream: Reader, header: WaveHeader) -> bytes | bytearray:
    """All bytes of the samples, or as many as are present; in blocks, so that a forged size allocates little."""
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
    return data
