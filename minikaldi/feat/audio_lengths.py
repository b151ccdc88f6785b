"""What an audio file lacks by its own headers: libsndfile takes a file that was cut short as if it ended there."""

from __future__ import annotations

import math
import os
import re
import struct
from pathlib import Path

from minikaldi.io import Reader
from minikaldi.io.wave import MOST_CHUNKS, UNKNOWN_SIZES, samples_place

_UNKNOWN_64 = (0xFFFFFFFFFFFFFFFF, 0)
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255  # at most
_SPHERE_HEADER_BYTES = 1024


def missing_bytes(stream: Reader, total_bytes: int) -> int | None:
    """How many bytes of its samples a file lacks.

    Args:
        stream: the file from its beginning, seekable.
        total_bytes: its size.

    Returns:
        0 where nothing is missing, or the kind of file does not tell (MP3; FLAC, which its decoder finds out); None
        where the file has a place for its length, and its writer did not know it (a WAV from a pipe).
    """
    start = stream.read(16)
    stream.seek(0)
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        place = samples_place(stream, total_bytes)
        return place.missing if place else 0
    if start[:4] in (b"RF64", b"BW64"):
        return _missing_rf64(stream, total_bytes)
    if start[:4] == b"riff":
        return _missing_w64(stream, total_bytes)
    if start[:4] == b"FORM":
        return _missing_chunk(stream, total_bytes, 12, ">4sI", b"SSND", UNKNOWN_SIZES)
    if start[:4] == b"caff":
        return _missing_chunk(stream, total_bytes, 8, ">4sQ", b"data", _UNKNOWN_64)
    if start[:4] in (b".snd", b"dns."):
        offset, size = struct.unpack(">II" if start[:1] == b"." else "<II", start[4:12].ljust(8, b"\0"))
        return None if size in UNKNOWN_SIZES else max(0, offset + size - total_bytes)
    if start[:4] == b"OggS":
        return _missing_ogg(stream, total_bytes)
    return _missing_sphere(stream.read(_SPHERE_HEADER_BYTES), total_bytes) if start[:7] == b"NIST_1A" else 0


def _missing_chunk(
    stream: Reader, total_bytes: int, first: int, header: str, samples: bytes, unknown: tuple[int, ...]
) -> int | None:
    """Of a file of chunks, each with `header` (name, size of what follows it), of which the first is at byte `first`.

    Chunks of odd size have a byte of padding where sizes have 32 bits.
    """
    header_bytes = struct.calcsize(header)
    stream.seek(first)
    for _ in range(MOST_CHUNKS):
        head = stream.read(header_bytes)
        if len(head) < header_bytes:
            break
        name, size = struct.unpack(header, head)
        at = stream.tell()
        if name == samples:
            return None if size in unknown else max(0, at + size - total_bytes)
        after = at + size + (size % 2 if header_bytes == 8 else 0)
        if after > total_bytes:
            break  # cut before its samples: no decoder takes that for a file
        stream.seek(after)
    return 0


def _missing_rf64(stream: Reader, total_bytes: int) -> int | None:
    """RF64 has the sizes that need more than 32 bits in its chunk ds64, which is the first."""
    sizes = stream.read(20 + 16)
    missing = _missing_chunk(stream, total_bytes, 12, "<4sI", b"data", UNKNOWN_SIZES)
    if missing is not None or sizes[12:16] != b"ds64" or len(sizes) < 36:
        return missing
    size = int.from_bytes(sizes[28:36], "little")
    return None if size in _UNKNOWN_64 else max(0, stream.tell() + size - total_bytes)


def _missing_w64(stream: Reader, total_bytes: int) -> int | None:
    """Sony Wave64: names of 16 bytes, sizes of 64 bits that count the 24 bytes of name and size, padded to 8."""
    at = 40
    for _ in range(MOST_CHUNKS):
        if at + 24 > total_bytes:
            break
        stream.seek(at)
        name, size = struct.unpack("<16sQ", stream.read(24))
        if name[:4] == b"data":
            return max(0, at + size - total_bytes)
        at += max(24, size + -size % 8)
    return 0


def _missing_ogg(stream: Reader, total_bytes: int) -> int:
    """What the last page lacks; a file that ends between two pages cannot be told from a short one."""
    stream.seek(max(0, total_bytes - _OGG_PAGE_BYTES))
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    num_segments = page[26] if len(page) > 26 else 0
    table = page[27 : 27 + num_segments]
    return max(0, 27 + num_segments + sum(table) - len(page))


def _missing_sphere(header: bytes, total_bytes: int) -> int:
    fields = dict(re.findall(rb"^(sample_count|channel_count|sample_n_bytes) -i (\d+)", header, re.MULTILINE))
    header_bytes = header[8:16].strip()
    if len(fields) < 3 or not header_bytes.isdigit():
        return 0
    return max(0, int(header_bytes) + math.prod(int(value) for value in fields.values()) - total_bytes)


def missing_in_file(path: str) -> int | None:
    """`missing_bytes` of a file.

    Raises:
        OSError: it cannot be opened.
    """
    with Path(path).open("rb") as stream:
        return missing_bytes(stream, os.fstat(stream.fileno()).st_size)
