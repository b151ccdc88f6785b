"""MPEG audio (MP3, and layers I and II) by its frames, whose number is known only after a pass through all of them.

A decoder estimates the length from the first frames and the file's size, or uses the count of a Xing or VBRI header,
which covers one of several joined files. Here the frames are counted, without decoding, and each stretch of one encoder
gets an Info frame with its exact count.

Source: ISO/IEC 11172-3 and 13818-3 (frame headers); the Xing, VBRI and LAME headers as their writers document them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from common.errors import KaldiError

_SYNC = 0xFFE00000
_VARIANT = 0xFFFFFFC0  # the bits of a header that the length and the kind of its frame depend on
_MPEG_1, _LAYER_3 = 1, 3
_RATES = {1: (44100, 48000, 32000), 2: (22050, 24000, 16000), 2.5: (11025, 12000, 8000)}
_KBITS = {  # by layer, of MPEG 1 and of MPEG 2; index 0 is the free format, which has no length
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MAYBE_FRAME = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]")
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_LYRICS_BYTES = 100_000  # at most
_LAME_BYTES = 36  # the part of a LAME header that holds the encoder's delay and padding
_INFO_BYTES = 192  # a frame of this size has room for side information, counts and LAME's part
_JUNK_BYTES = 4096  # this many bytes, or a hundredth of the file, may be neither frames nor tags


class MpegKind(NamedTuple):
    """The values that do not change within a stretch.

    Attributes:
        version: MPEG version, 1, 2 or 2.5.
        layer: 1 to 3.
        rate: Hz.
        channels: 1 or 2.
    """

    version: float
    layer: int
    rate: int
    channels: int

    @property
    def frame_samples(self) -> int:
        """Samples of a frame, of each channel."""
        if self.layer == 1:
            return 384
        return 576 if self.layer == _LAYER_3 and self.version != _MPEG_1 else 1152

    @property
    def side_bytes(self) -> int:
        """Bytes between header and content in a frame of layer III."""
        if self.version == _MPEG_1:
            return 17 if self.channels == 1 else 32
        return 9 if self.channels == 1 else 17


@dataclass
class Stretch:
    """Frames of one kind and one encoder.

    Attributes:
        kind: their kind.
        claimed: how many a Xing or VBRI header counts; None without such a header.
        lame: delay and padding in that header; b"" if it has none.
        frames: first byte and length of each.
    """

    kind: MpegKind
    claimed: int | None = None
    lame: bytes = b""
    frames: list[tuple[int, int]] = field(default_factory=list)


def begins_mpeg_header(data: bytes) -> bool:
    """Whether the data begin with the header of a frame."""
    return _header(data, 0) is not None


def begins_mpeg(data: bytes, at: int = 0) -> bool:
    """Whether two frames of one kind, or one that ends the data, begin at byte `at`."""
    first = _header(data, at)
    if first is None:
        return False
    second = _header(data, at + first[0])
    return at + first[0] >= len(data) or (second is not None and second[1] == first[1])


def mpeg_stretches(data: bytes) -> list[tuple[bytes, int | None]]:
    """Each stretch of frames as a file of its own, and its number of samples; None if its header has the number.

    Raises:
        KaldiError: a Xing or VBRI header counts more frames than there are; or there is no such header, and a large
            part of the data is not frames. The text has no file name.
    """
    stretches, junk, cut = _walk(data)
    counted = all(stretch.claimed is not None for stretch in stretches)
    if not counted and junk > max(_JUNK_BYTES, len(data) // 100):
        raise KaldiError(f"damaged: {junk} of {len(data)} bytes are neither MPEG frames nor tags")
    for index, stretch in enumerate(stretches):
        found, claimed = len(stretch.frames), stretch.claimed
        # Some encoders count the frame that holds the count too.
        if claimed is not None and found < claimed - (not (cut and index == len(stretches) - 1)):
            raise KaldiError(f"truncated: its header counts {claimed} frames, {found} are there")
    return [_as_file(data, stretch) for stretch in stretches if stretch.frames]


def _walk(data: bytes) -> tuple[list[Stretch], int, bool]:
    """The stretches, how many bytes are neither frames nor tags, and whether the last frame lacks its end."""
    stretches: list[Stretch] = []
    at, junk = 0, 0
    while at + 4 <= len(data):
        found = _header(data, at)
        current = stretches[-1].kind if stretches else None
        if found is None or (found[1] != current and not begins_mpeg(data, at)):
            tag = tag_bytes(data, at)
            after = at + tag if tag else _after_loss(data, at, stretches[-1].frames if stretches else [])
            junk += 0 if tag else abs(after - at)
            at = after
            continue
        length, kind = found
        if at + length > len(data):
            return stretches, junk, True
        head = _count_of_frames(data[at : at + length], kind)
        if head or kind != current:
            stretches.append(Stretch(kind, *(head or ())))
        if not head:
            stretches[-1].frames.append((at, length))
        at += length
    return stretches, junk, False


def _after_loss(data: bytes, at: int, frames: list[tuple[int, int]]) -> int:
    """Where to go on if no frame and no tag begins at byte `at`.

    If one begins within the last frame, that frame was truncated and another file joined to it: it is removed.
    """
    if frames and sum(frames[-1]) == at:
        inside = _next_frame(data, frames[-1][0] + 4)
        if inside < at:
            frames.pop()
            return inside
    return _next_frame(data, at + 1)


def _next_frame(data: bytes, start: int) -> int:
    """Where the next frame or tag begins; the end of the data if there is none."""
    places = (found.start() for found in _MAYBE_FRAME.finditer(data, start))
    end = next((at for at in places if begins_mpeg(data, at)), len(data))
    tags = [found for name in _TAGS if (found := data.find(name, start, end)) >= 0 and tag_bytes(data, found)]
    return min([end, *tags])


def _header(data: bytes, at: int) -> tuple[int, MpegKind] | None:
    return _parse_header(int.from_bytes(data[at : at + 4], "big") & _VARIANT)


@lru_cache(maxsize=4096)
def _parse_header(bits: int) -> tuple[int, MpegKind] | None:
    """(bytes, kind) of a frame from the first 26 bits of its header; None if the header is invalid or has no length."""
    if bits & _SYNC != _SYNC:
        return None
    version = {0: 2.5, 2: 2, 3: 1}.get(bits >> 19 & 3)
    layer, index, rate_index, padding = 4 - (bits >> 17 & 3), bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    if version is None or layer == 4 or index in (0, 15) or rate_index == 3:
        return None
    kind = MpegKind(version, layer, _RATES[version][rate_index], 1 if bits >> 6 & 3 == 3 else 2)
    bit_rate = 1000 * _KBITS[1 if version == _MPEG_1 else 2, layer][index - 1]
    if layer == 1:
        return 4 * (12 * bit_rate // kind.rate + padding), kind
    return kind.frame_samples // 8 * bit_rate // kind.rate + padding, kind


def _count_of_frames(frame: bytes, kind: MpegKind) -> tuple[int | None, bytes] | None:
    """(frames counted, LAME's part) of a frame with a Xing, Info or VBRI header; None for a frame of audio."""
    if kind.layer != _LAYER_3:
        return None
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54], "big"), b""
    for at in (4 + kind.side_bytes, 6 + kind.side_bytes):  # with a checksum 2 bytes later, in some writers' files
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            count = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else None
            sizes = zip((4, 4, 100, 4), (1, 2, 4, 8), strict=True)
            lame = at + 8 + sum(size for size, flag in sizes if flags & flag)
            return count, frame[lame : lame + _LAME_BYTES] if frame[lame : lame + 1] > b"\0" else b""
    return None


def _as_file(data: bytes, stretch: Stretch) -> tuple[bytes, int | None]:
    frames = b"".join(data[at : at + length] for at, length in stretch.frames)
    if stretch.kind.layer == _LAYER_3:
        return _info_frame(int.from_bytes(frames[:4], "big"), stretch, len(frames)) + frames, None
    # Layers I and II have no header with a count. mpg123 estimates the length from the first frame's: further frames,
    # which are not read, make the estimate long enough.
    first, (at, length) = stretch.frames[0][1], stretch.frames[-1]
    lacking = max(0, len(stretch.frames) * (first + 4) - len(frames))
    more = data[at : at + length] * -(-lacking // length)
    return frames + more, len(stretch.frames) * stretch.kind.frame_samples


def _info_frame(first_header: int, stretch: Stretch, num_bytes: int) -> bytes:
    """A silent frame that counts those after it."""
    bits = first_header & 0xFFFF0DFF | 1 << 16  # no checksum, no padding, and room for a bit rate
    header, length = next(
        (bits | index << 12, found[0])
        for index in range(1, 15)
        if (found := _parse_header((bits | index << 12) & _VARIANT)) and found[0] >= _INFO_BYTES
    )
    counts = struct.pack(">4sIII", b"Info", 3, len(stretch.frames), num_bytes + length)
    body = header.to_bytes(4, "big") + bytes(stretch.kind.side_bytes) + counts + stretch.lame
    return body.ljust(length, b"\0")


def tag_bytes(data: bytes, at: int = 0) -> int:
    """The length of a tag (ID3 1 and 2, APE, Lyrics3) that begins at byte `at`; 0 for anything else."""
    head = data[at : at + 32]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return min(10 + size + (10 if head[5] & 16 else 0), len(data) - at)
    if head[:3] == b"TAG" and len(data) - at in range(128, 128 + 4096):
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        has_footer_only = not int.from_bytes(head[20:24], "little") >> 29 & 1
        size = int.from_bytes(head[12:16], "little")  # of what follows a header, the footer included
        return 32 if has_footer_only else min(32 + size, len(data) - at)
    if head[:11] == b"LYRICSBEGIN":
        end = re.compile(rb"LYRICS(200|END)").search(data, at, at + _LYRICS_BYTES)
        return end.end() - at if end else 0
    return 0
