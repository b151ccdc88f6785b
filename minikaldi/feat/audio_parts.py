"""A file in parts that libsndfile decodes to their last sample; wrong lengths in headers are corrected.

All readers use this check: a file that is refused here is refused when a corpus is made (`minikaldi.feat.audio_info`),
when it is decoded (`minikaldi.feat.audio`), and in training from audio. Nothing is decoded. A file counts as truncated
only by an exact length: valid sizes in the headers of WAV, RF64, W64, AIFF, CAF, AU and SPHERE, the total of a FLAC's
STREAMINFO, the last page of an Ogg file, the frames that a Xing or VBRI header counts. An MP3 without such a header,
and a stream of any kind from a pipe, may be truncated unnoticed.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from typing import NamedTuple

from common.errors import KaldiError
from minikaldi.feat.audio_lengths import Samples, find_samples, length_fault, reader_of, sphere_coding, with_length
from minikaldi.feat.flac import flac_streams
from minikaldi.feat.mpeg import begins_mpeg, mpeg_stretches, tag_bytes
from minikaldi.feat.ogg import ogg_chain
from minikaldi.io import Reader

_MPEG_CODES = (0x50, 0x55)  # of layers I and II, and of MP3, in a WAV
_JOINED_WAVE = re.compile(rb"RIFF....WAVEfmt ", re.DOTALL)


class AudioPart(NamedTuple):
    """A stream that libsndfile decodes to its end, one of several if files were joined.

    Attributes:
        data: the stream as a file of its own.
        num_samples: samples of each channel; None if libsndfile's count is exact.
    """

    data: bytes
    num_samples: int | None = None


class BytesFile(io.BytesIO):
    """A file in memory that does not move if a damaged header makes libsndfile seek to before its beginning.

    Otherwise Python would print a traceback, since an exception cannot pass through libsndfile.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek; an impossible place leaves the position unchanged."""
        with suppress(ValueError, OverflowError):
            super().seek(offset, whence)
        return self.tell()


def audio_parts(data: bytes) -> list[AudioPart]:
    """The parts of a file to decode, in order.

    Args:
        data: the whole file.

    Raises:
        KaldiError: it is truncated, damaged, or of a kind that cannot be decoded here; without the file's name.
    """
    tags = leading_tags(data)
    data = data[tags:] if tags else data
    if data[:4] == b"fLaC":
        return [AudioPart(stream) for stream in flac_streams(data)]
    if data[:4] == b"OggS":
        return [AudioPart(link) for link in ogg_chain(data)]
    found = checked_samples(reader_of(data), len(data))
    if found is not None:
        return _of_samples(data, found)
    stretches = mpeg_stretches(data) if tags or begins_mpeg(data) else []
    return [AudioPart(*stretch) for stretch in stretches] or [AudioPart(data)]


def leading_tags(data: bytes) -> int:
    """The length in bytes of the tags (ID3 …) at the beginning of a file."""
    at = 0
    while at < len(data) and (tag := tag_bytes(data, at)):
        at += tag
    return at


def checked_samples(stream: Reader, total_bytes: int) -> Samples | None:
    """The samples of an uncompressed file, after a check of their length; None for another file.

    Raises:
        KaldiError: as `audio_parts`.
    """
    start = stream.read(8192)
    stream.seek(0)
    coding = sphere_coding(start)
    if coding:
        how = next((f" with {name}" for name in ("shorten", "shortpack", "wavpack") if name in coding), "")
        raise KaldiError(
            f"SPHERE, compressed{how} (sample_coding {coding}), which libsndfile does not decode; convert it: "
            "sph2pipe -f wav <file> <file>.wav"
        )
    found = find_samples(stream, total_bytes)
    fault = length_fault(stream, total_bytes, found) if found else ""
    if fault:
        raise KaldiError(fault)
    return found


def _of_samples(data: bytes, found: Samples) -> list[AudioPart]:
    end = len(data) if found.claimed is None else found.offset + found.claimed
    joined = _JOINED_WAVE.search(data, found.offset) if found.claimed is None and data[:4] == b"RIFF" else None
    if joined:
        raise KaldiError(f"a second wave begins at byte {joined.start()} of it, after one without a length; split it")
    if holds_mpeg(data[: found.offset]):
        parts = [AudioPart(*stretch) for stretch in mpeg_stretches(data[found.offset : end])]
        if not parts:
            raise KaldiError("a WAV of MPEG frames that has none")
        return parts
    return [AudioPart(with_length(data, found))]


def holds_mpeg(start: bytes) -> bool:
    """Whether a file with this beginning is a WAV that holds MPEG frames."""
    at = start.find(b"fmt ", 12) if start[8:12] == b"WAVE" else -1
    return at >= 0 and int.from_bytes(start[at + 8 : at + 10], "little") in _MPEG_CODES
