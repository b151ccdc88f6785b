"""FLAC and Ogg: streams that were joined to one file, and a FLAC that does not count its samples.

libsndfile decodes the first of several streams and says nothing of the others.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

from minikaldi.errors import KaldiError

_FLAC_BEGIN = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # the mark, and the header of STREAMINFO, which is the first
_FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]")
_TOTAL = (1 << 36) - 1
_OGG_FIRST = 2  # the flag of a logical stream's first page
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255  # at most


def flac_streams(data: bytes) -> list[bytes]:
    """Each FLAC stream of the data as a file of its own, which counts its samples.

    Raises:
        KaldiError: a stream that does not count them has no frame. The text has no file name.
    """
    starts = [found.start() for found in _FLAC_BEGIN.finditer(data)]
    if len(starts) < 2:
        return [_counted(data)]
    return [_counted(data[at:end]) for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def has_several_flacs(data: bytes | mmap.mmap) -> bool:
    """Whether more than one FLAC stream begins in the data."""
    at = data.find(b"fLaC", 4)  # far faster than the expression
    while at >= 0 and not _FLAC_BEGIN.match(data, at):
        at = data.find(b"fLaC", at + 1)
    return at >= 0


def counts_its_samples(data: bytes) -> bool:
    """Whether the STREAMINFO that a FLAC file begins with knows the length."""
    return bool(int.from_bytes(data[18:26], "big") & _TOTAL)


def _counted(stream: bytes) -> bytes:
    if counts_its_samples(stream):
        return stream
    end = _last_sample(stream)
    if end is None:
        raise KaldiError("a header and no samples")
    info = int.from_bytes(stream[18:26], "big") | end
    # No checksum of the samples either is taken for a wrong one: whoever did not know their number left it out.
    return stream[:18] + info.to_bytes(8, "big") + stream[26:]


class _Frame(NamedTuple):
    """A FLAC frame's header: what all frames of a stream have in common, and which samples it holds."""

    common: tuple[int, int, int]
    number: int
    block: int


def _last_sample(stream: bytes) -> int | None:
    """How many samples a stream has, by the number that its last frame carries; None where it has no frame."""
    at = 4
    while at + 4 <= len(stream):
        last, at = stream[at] >> 7, at + 4 + int.from_bytes(stream[at + 1 : at + 4], "big")
        if last:
            break
    first = _frame(stream, at)
    if first is None:
        return None
    end = len(stream)
    while (end := max(stream.rfind(b"\xff\xf8", at, end), stream.rfind(b"\xff\xf9", at, end))) >= at:
        frame = _frame(stream, end)
        if frame and frame.common == first.common:
            variable = first.common[0] & 1
            return frame.number + frame.block if variable else frame.number * first.block + frame.block
        end += 1  # rfind's end is one after the last byte of what it finds
    return None


def _frame(stream: bytes, at: int) -> _Frame | None:
    """The header of the frame at byte `at`; None where there is none."""
    head = stream[at : at + 16]
    if len(head) < 6 or not _FLAC_FRAME.match(head):  # a frame of silence has few more
        return None
    block_code, assignment = head[2] >> 4, head[3] >> 4
    length = 8 - (head[4] ^ 0xFF).bit_length() or 1  # bytes of the number, coded as UTF-8 codes letters
    if block_code == 0 or assignment > 10 or head[3] & 1 or length > 7:
        return None
    number = head[4] & (0xFF >> (length + 1) if length > 1 else 0x7F)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    after = 4 + length
    extra = {6: 1, 7: 2}.get(block_code, 0)
    explicit = int.from_bytes(head[after : after + extra], "big") + 1
    after += extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if after >= len(head) or _crc8(head[:after]) != head[after]:
        return None
    fixed = 192 if block_code == 1 else 576 << block_code - 2 if block_code < 6 else 256 << max(0, block_code - 8)
    channels = assignment if assignment < 8 else 1  # left, right, middle and side take turns in stereo
    return _Frame((head[1], head[2] & 15, channels << 3 | head[3] >> 1 & 7), number, explicit if extra else fixed)


def _crc8(data: bytes) -> int:
    """The checksum of a frame's header: x^8 + x^2 + x + 1."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


def ogg_chain(data: bytes) -> list[bytes]:
    """The links of a chained Ogg file, each as a file of its own.

    Raises:
        KaldiError: the last page lacks its end. The text has no file name.
    """
    missing = _missing_of_last_page(data)
    if missing:
        raise KaldiError(f"truncated: its last page lacks {missing} bytes")
    starts, previous_end = [], -1
    for at, end in _first_pages(data):
        if at != previous_end:  # the streams of one link, as picture and sound, begin together
            starts.append(at)
        previous_end = end
    if len(starts) < 2:
        return [data]
    return [data[at:end] for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _first_pages(data: bytes) -> Iterator[tuple[int, int]]:
    """(first byte, end) of each page that begins a stream."""
    at = -1
    while (at := data.find(b"OggS\0", at + 1)) >= 0:
        end = _page_end(data, at)
        if len(data) > at + 5 and data[at + 5] & _OGG_FIRST and end <= len(data):
            yield at, end


def _page_end(data: bytes, at: int) -> int:
    num_segments = data[at + 26] if len(data) > at + 26 else 0
    return at + 27 + num_segments + sum(data[at + 27 : at + 27 + num_segments])


def _missing_of_last_page(data: bytes) -> int:
    """What the last page lacks; a file that ends between two pages cannot be told from a short one."""
    at = data.rfind(b"OggS", max(0, len(data) - _OGG_PAGE_BYTES))
    return 0 if at < 0 else max(0, _page_end(data, at) - len(data))
