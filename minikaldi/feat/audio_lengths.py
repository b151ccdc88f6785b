"""The beginning and end of the samples of an uncompressed file by its headers, and the bytes that it lacks or has more.

libsndfile reads a truncated file as if it ended there, and ignores a file that was joined to another. A writer that
cannot seek leaves a meaningless size (`is_unknown_size`); the samples then go on to the end of the file.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from minikaldi.feat.mpeg import tag_bytes
from minikaldi.io import Reader
from minikaldi.io.wave import MOST_CHUNKS, is_unknown_size, samples_place

_SPHERE_HEADER_BYTES = 1 << 16  # at most
_STRAY_BYTES = 4096  # fewer uncounted bytes after the samples are too short to be audible
_FILES = (b"RIFF", b"RF64", b"BW64", b"riff", b"FORM", b"caff", b".snd", b"dns.", b"NIST", b"fLaC", b"OggS")
_RIFF, _IFF, _CAF, _W64 = "<4sI", ">4sI", ">4sQ", "<16sQ"


@dataclass(frozen=True)
class Field:
    """A size in a header.

    Attributes:
        at: its first byte.
        width: bytes.
        order: byte order.
        more: what it counts besides the samples' bytes.
    """

    at: int
    width: int
    order: str
    more: int = 0


@dataclass(frozen=True)
class Samples:
    """The samples of a file.

    Attributes:
        offset: their first byte.
        claimed: bytes by the header; None if it does not give them.
        present: bytes from there to the end of the file.
        sizes: the fields that count them.
        frame_count: in AIFF, the field that counts frames, and the bytes of a frame.
        chunks: the form of the chunks that may follow them.
    """

    offset: int
    claimed: int | None
    present: int
    sizes: tuple[Field, ...] = ()
    frame_count: tuple[Field, int] | None = None
    chunks: str = ""

    @property
    def is_riff(self) -> bool:
        """Whether the file is a WAV, or a WAV with 64-bit sizes."""
        return self.chunks == _RIFF


def find_samples(stream: Reader, total_bytes: int) -> Samples | None:
    """The samples of a WAV, RF64, W64, AIFF, CAF, AU or SPHERE file; None if it is another kind, or has none.

    Args:
        stream: the file from its beginning, seekable: other chunks are not read.
        total_bytes: its size.
    """
    start = stream.read(48)
    stream.seek(0)
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        place = samples_place(stream, total_bytes)
        if place is None:
            return None
        size = Field(place.offset - 4, 4, "little")
        return Samples(place.offset, place.claimed, place.present, (size,), chunks=_RIFF)
    if start[:4] in (b"RF64", b"BW64"):
        return _rf64(stream, total_bytes, start)
    if start[:4] == b"riff" and len(start) >= 40:
        return _of_chunk(stream, total_bytes, 40, _W64, b"data")
    if start[:4] == b"FORM":
        return _aiff(stream, total_bytes)
    if start[:4] == b"caff":
        return _of_chunk(stream, total_bytes, 8, _CAF, b"data")
    if start[:4] in (b".snd", b"dns.") and len(start) >= 12:
        order = "big" if start[:1] == b"." else "little"
        offset, claimed = struct.unpack(">II" if order == "big" else "<II", start[4:12])
        return _samples(offset, claimed, total_bytes, Field(8, 4, order))
    return _sphere(stream.read(_SPHERE_HEADER_BYTES), total_bytes) if start[:7] == b"NIST_1A" else None


def _samples(offset: int, claimed: int, total_bytes: int, size: Field, chunks: str = "") -> Samples:
    present = max(0, total_bytes - offset)
    # A size that could mean "unknown", but fits the file, is a length: some recorders begin a new file at 2 GiB.
    known = not is_unknown_size(claimed) or claimed == present > 0
    return Samples(offset, claimed if known else None, present, (size,), chunks=chunks)


def _chunks(stream: Reader, total_bytes: int, first: int, form: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte of the content, its size) of the chunks from byte `first` on, as far as they are there."""
    header_bytes, at = struct.calcsize(form), first
    for _ in range(MOST_CHUNKS):
        stream.seek(at)
        head = stream.read(header_bytes)
        if len(head) < header_bytes:
            return
        name, size = struct.unpack(form, head)
        if form == _W64:  # its sizes count the header, and are padded to 8
            size = max(0, size - header_bytes)
        yield name, at + header_bytes, size
        at += header_bytes + size + (size % 2 if header_bytes == 8 else -size % 8 if form == _W64 else 0)
        if at > total_bytes:
            return  # truncated before its samples: no decoder reads it


def _of_chunk(stream: Reader, total_bytes: int, first: int, form: str, name: bytes) -> Samples | None:
    """The samples in the chunk `name` of a file of chunks; `first` is the byte at which the chunks begin."""
    for found, at, size in _chunks(stream, total_bytes, first, form):
        if found[:4] == name:
            order, width = ("little" if form[0] == "<" else "big"), struct.calcsize(form) - struct.calcsize(form[:-1])
            more = 24 if form == _W64 else 0
            return _samples(at, size, total_bytes, Field(at - width, width, order, more), form)
    return None


def _rf64(stream: Reader, total_bytes: int, start: bytes) -> Samples | None:
    """The samples of RF64, whose first chunk, ds64, has the sizes that need more than 32 bits."""
    found = _of_chunk(stream, total_bytes, 12, _RIFF, b"data")
    if found is None or start[12:16] != b"ds64" or found.claimed is not None or len(start) < 36:
        return found
    size = int.from_bytes(start[28:36], "little")
    return _samples(found.offset, size, total_bytes, Field(28, 8, "little"), _RIFF)


def _aiff(stream: Reader, total_bytes: int) -> Samples | None:
    """The samples of AIFF, which are counted in the chunk COMM too, at any place."""
    found = _of_chunk(stream, total_bytes, 12, _IFF, b"SSND")
    if found is None or found.claimed is not None:
        return found
    for name, at, _ in _chunks(stream, found.offset - 8, 12, _IFF):
        if name == b"COMM":
            stream.seek(at)
            channels, _, bits = struct.unpack(">HIH", stream.read(8).ljust(8, b"\0"))
            count = (Field(at + 2, 4, "big"), max(1, channels * ((bits + 7) // 8)))
            return Samples(found.offset, None, found.present, found.sizes, count, _IFF)
    return found


def _sphere(header: bytes, total_bytes: int) -> Samples | None:
    fields = dict(re.findall(rb"^(sample_count|channel_count|sample_n_bytes) -i (\d+)", header, re.MULTILINE))
    header_bytes = header[8:16].strip()
    if len(fields) < 3 or not header_bytes.isdigit():
        return None
    offset, claimed = int(header_bytes), math.prod(int(value) for value in fields.values())
    return Samples(offset, claimed, max(0, total_bytes - offset))


def sphere_coding(data: bytes) -> str:
    """The compression that a SPHERE file names, as in `pcm,embedded-shorten-v2.00`; "" for none, or another file."""
    if data[:7] != b"NIST_1A":
        return ""
    found = re.search(rb"^sample_coding -s\d+ (\S*embedded\S*|\S*(?:shorten|shortpack|wavpack)\S*)", data, re.MULTILINE)
    return found[1].decode("ascii", "replace") if found else ""


def length_fault(stream: Reader, total_bytes: int, found: Samples) -> str:
    """The fault of the length of the samples, by the file's own headers; "" if there is none."""
    if found.claimed is None:
        return ""
    if found.claimed > found.present:
        return f"truncated: the header promises {found.claimed - found.present} more bytes"
    beyond = found.present - found.claimed
    return _fault_after(stream, total_bytes, found) if beyond > 1 else ""


def _fault_after(stream: Reader, total_bytes: int, found: Samples) -> str:
    """The fault of the bytes after the samples, apart from chunks and tags; "" if there is none."""
    assert found.claimed is not None
    at, where = found.offset + found.claimed, "samples"
    if found.chunks:
        stream.seek(at)
        if found.chunks == _W64:
            at += -found.claimed % 8
        elif found.chunks != _CAF and found.claimed % 2 and stream.peek(1)[:1] == b"\0":  # some writers leave it out
            at += 1
        at, where = _after_chunks(stream, total_bytes, at, found.chunks), "data chunk"
    stream.seek(at)
    rest = stream.read(_STRAY_BYTES)
    if rest.lstrip(b"\0")[:4] in _FILES:
        return f"{total_bytes - at} bytes of data after its {where} are another file, joined to it; split it"
    if total_bytes - at <= _STRAY_BYTES or not rest.strip(b"\0") or tag_bytes(rest):
        return ""
    return (
        f"{total_bytes - at} bytes of data after its {where} are neither chunks nor tags: its header counts "
        f"{found.claimed} of {found.present} bytes; write it again with the right length"
    )


def _after_chunks(stream: Reader, total_bytes: int, at: int, form: str) -> int:
    """The end of the chunks from byte `at` on, as far as they are plausible and do not begin another file."""
    for name, content, size in _chunks(stream, total_bytes, at, form):
        printable = all(32 <= byte < 127 for byte in name[:4])
        if not printable or name[:4] in _FILES or content + size > total_bytes or name[:3] in (b"TAG", b"ID3"):
            return content - struct.calcsize(form)
        at = content + size
    return min(total_bytes, at + (total_bytes - at <= 1))


def libsndfile_knows(found: Samples) -> bool:
    """Whether libsndfile, given the file as it is, reads exactly its samples."""
    to_the_end = found.chunks in ("", _W64)  # there it reads everything that follows as samples
    return found.claimed is not None and not (to_the_end and found.present > found.claimed)


def with_length(data: bytes, found: Samples) -> bytes:
    """The file with the length of its samples in its header, and, if libsndfile needs it, nothing after them.

    Args:
        data: a whole file, without a fault of its length.
        found: its samples.
    """
    if libsndfile_knows(found):
        return data
    if found.claimed is not None:
        return data[: found.offset + found.claimed]
    changed = bytearray(data)
    for size in found.sizes:
        _put(changed, size, found.present + size.more)
    if found.frame_count:
        count, frame_bytes = found.frame_count
        _put(changed, count, (found.present - 8) // frame_bytes)  # 8: offset and block size, before the samples
        _put(changed, Field(4, 4, "big"), len(data) - 8)
    return bytes(changed)


def _put(data: bytearray, size: Field, value: int) -> None:
    if 0 <= value < 1 << 8 * size.width:
        data[size.at : size.at + size.width] = value.to_bytes(size.width, "big" if size.order == "big" else "little")


def reader_of(data: bytes) -> Reader:
    """A file in memory as a stream."""
    return io.BufferedReader(io.BytesIO(data))
