"""FLAC streams that were joined to one file, and streams that do not count their samples, such as those from a pipe.

libsndfile decodes the first of several streams and ignores the others; it does not decode a stream without a count.

Source: RFC 9639 (STREAMINFO, 8.2; frame headers, 9.1).
"""

from __future__ import annotations

import mmap
import re
from typing import NamedTuple

from common.errors import KaldiError
from minikaldi.io import Reader

_FLAC_BEGIN = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # the mark, and the header of STREAMINFO, which is the first
_FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]")
_TOTAL = (1 << 36) - 1
_SCANNED_BYTES = 1 << 20  # searching a shorter file takes a fraction of the time of opening it
_LOOK_BYTES = 1 << 16  # more than a frame has, of 4608 samples and 4 channels of 24 bits
_PLACES, _UNEVEN = 4, 0.3
_STREAMINFO_END = 42


def flac_streams(data: bytes) -> list[bytes]:
    """Each FLAC stream of the data as a file of its own, which counts its samples.

    Raises:
        KaldiError: a stream that does not count them has no frame. The text has no file name.
    """
    starts = [found.start() for found in _FLAC_BEGIN.finditer(data)]
    if len(starts) < 2:
        return [_counted(data)]
    return [_counted(data[at:end]) for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def is_one_counted_flac(stream: Reader, size: int) -> bool:
    """Whether a FLAC file is one stream that counts its samples, which libsndfile reads to its end.

    All bytes of a short file are searched, of a long one a few places.

    Args:
        stream: the file, seekable.
        size: its bytes.
    """
    stream.seek(0)
    start = stream.read(_STREAMINFO_END if size > _SCANNED_BYTES else size)
    if not counts_its_samples(start):
        return False
    if size <= _SCANNED_BYTES:
        return _FLAC_BEGIN.search(start, 4) is None
    if _frames_run_evenly(stream, size, start):
        return True
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _FLAC_BEGIN.search(data, 4) is None


def _frames_run_evenly(stream: Reader, size: int, start: bytes) -> bool:
    """Whether frames at a few places have about the numbers that they have in one stream, and the last one ends the
    stream: in joined streams the numbers begin again."""
    block, total = int.from_bytes(start[10:12], "big"), int.from_bytes(start[18:26], "big") & _TOTAL
    for place in range(1, _PLACES + 1):
        stream.seek(size * place // _PLACES if place < _PLACES else size - _LOOK_BYTES)
        data = stream.read(_LOOK_BYTES)
        frames = (frame for found in _FLAC_FRAME.finditer(data) if (frame := _frame(data, found.start())))
        frame = next(frames, None)
        if frame is None:
            return False
        if place < _PLACES and abs(frame.first_sample(block) / total - place / _PLACES) > _UNEVEN:
            return False
    *_, frame = frame, *frames
    return frame.first_sample(block) + frame.block == total


def counts_its_samples(data: bytes) -> bool:
    """Whether the STREAMINFO at the beginning of a FLAC file has the length."""
    return bool(int.from_bytes(data[18:26], "big") & _TOTAL)


def _counted(stream: bytes) -> bytes:
    if counts_its_samples(stream):
        return stream
    end = _last_sample(stream)
    if end is None:
        raise KaldiError("a header and no samples")
    info = int.from_bytes(stream[18:26], "big") | end
    # A missing checksum of the samples is not an error: a writer that does not know their number leaves it out.
    return stream[:18] + info.to_bytes(8, "big") + stream[26:]


class _Frame(NamedTuple):
    """A FLAC frame's header.

    Attributes:
        common: values that all frames of a stream share.
        number: number of the frame or of its first sample.
        block: samples in the frame.
    """

    common: tuple[int, int, int]
    number: int
    block: int

    def first_sample(self, block: int) -> int:
        """Its first sample; `block` is the number of samples of each frame, if all have the same number."""
        return self.number if self.common[0] & 1 else self.number * block


def _last_sample(stream: bytes) -> int | None:
    """The number of samples of a stream, from the number in its last frame; None if it has no frame."""
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
            return frame.first_sample(first.block) + frame.block
        end += 1  # rfind's end is one after the last byte of what it finds
    return None


def _frame(stream: bytes, at: int) -> _Frame | None:
    """The header of the frame at byte `at`; None if no frame begins there."""
    head = stream[at : at + 16]
    if len(head) < 6 or not _FLAC_FRAME.match(head):  # a frame of silence has few more
        return None
    block_code, assignment = head[2] >> 4, head[3] >> 4
    length = 8 - (head[4] ^ 0xFF).bit_length() or 1  # bytes of the number, which is coded as in UTF-8
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
    channels = assignment if assignment < 8 else 1  # in stereo, left, right, middle and side may change
    return _Frame((head[1], head[2] & 15, channels << 3 | head[3] >> 1 & 7), number, explicit if extra else fixed)


def _crc8(data: bytes) -> int:
    """The checksum of a frame's header: x^8 + x^2 + x + 1."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc
