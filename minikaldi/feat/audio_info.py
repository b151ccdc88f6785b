"""The kind of an audio file and its number of samples, without decoding it.

Of uncompressed files only the header is read. If a count in a header may not be the number of samples (MP3, Ogg, joined
files, files from a pipe), all bytes are read, and the parts that hold samples are counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from common.errors import KaldiError
from minikaldi.feat.audio_lengths import Samples, libsndfile_knows
from minikaldi.feat.audio_parts import AudioPart, BytesFile, audio_parts, checked_samples, holds_mpeg, leading_tags
from minikaldi.feat.flac import is_one_counted_flac
from minikaldi.feat.mpeg import begins_mpeg_header
from minikaldi.io import Reader
from minikaldi.io.wave import whole_wave_header

if TYPE_CHECKING:
    import soundfile

T = TypeVar("T")
NO_AUDIO = "no audio that libsndfile can read"
"""The beginning of the error for bytes that are not an audio file."""
DAMAGED = "damaged: "

_HEAD_BYTES = 4096
_BLOCK_SAMPLES = 1 << 16


class ForeignAudioError(KaldiError):
    """A container that only ffmpeg reads; the text names it."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file is.

    Attributes:
        format: container, by libsndfile's name.
        subtype: encoding, by libsndfile's name.
        channels: number of channels.
        rate: Hz.
        num_samples: samples of each channel, >= 1.
        as_it_stands: whether libsndfile reads the file itself to its end, and seeks to any of its samples.
        kaldi_reads: whether Kaldi reads the file as it is (`minikaldi.io.wave.whole_wave_header`).
    """

    format: str
    subtype: str
    channels: int
    rate: int
    num_samples: int
    as_it_stands: bool
    kaldi_reads: bool = False


def audio_info(path: str | Path) -> AudioInfo:
    """Find the kind and length of a file.

    Raises:
        ForeignAudioError: only ffmpeg reads it.
        KaldiError: it is truncated, damaged, empty or not audio; without the file's name.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            raise KaldiError("empty file")
        start = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
        found = checked_samples(stream, size)
        info = _of_plain_wave(stream, size) or _of_file(stream, size, start, found)
    if info.num_samples == 0:
        raise KaldiError("a header and no samples")
    if info.rate < 1:
        raise KaldiError(f"its header says {info.rate} samples a second")
    return info


def _of_plain_wave(stream: Reader, size: int) -> AudioInfo | None:
    """Of a wave file that Kaldi reads, without a call of libsndfile: corpora have a million of them."""
    stream.seek(0)
    header = whole_wave_header(stream, size)
    if header is None or header.data_bytes is None:
        return None
    num_samples = header.data_bytes // (2 * header.channels)
    return AudioInfo("WAV", "PCM_16", header.channels, header.sample_rate, num_samples, True, True)


def _of_file(stream: Reader, size: int, start: bytes, found: Samples | None) -> AudioInfo:
    stream.seek(0)
    container = "" if found else foreign_container(stream)
    if container:
        raise ForeignAudioError(container)
    if _is_counted(stream, size, start, found):
        info = _of_stream(stream.fileno())
        if info.subtype[:4] != "MPEG":  # as in a WAV with a long chunk before its format
            return info
    stream.seek(0)
    parts = audio_parts(stream.read())
    infos = [_of_part(part) for part in parts]
    require_alike([(info.rate, info.channels) for info in infos])
    return replace(infos[0], num_samples=sum(info.num_samples for info in infos), as_it_stands=False)


def _of_part(part: AudioPart) -> AudioInfo:
    info = _of_stream(BytesFile(part.data))
    return info if part.num_samples is None else replace(info, num_samples=part.num_samples)


def _is_counted(stream: Reader, size: int, start: bytes, found: Samples | None) -> bool:
    """Whether libsndfile, given the file as it is, finds all of its samples and no others."""
    if found:
        return libsndfile_knows(found) and not holds_mpeg(start)
    if start[:4] == b"fLaC":
        return is_one_counted_flac(stream, size)
    return not (leading_tags(start) or start[:4] == b"OggS" or begins_mpeg_header(start))


def _of_stream(file: int | BytesFile) -> AudioInfo:
    """libsndfile's description of a file, after a check that the end of a FLAC file is there."""
    info, whole = with_soundfile(file, _described)
    if whole:
        return info
    try:  # seeking needs more of the header than decoding does
        decoded = with_soundfile(file, lambda audio: sum(len(block) for block in audio.blocks(_BLOCK_SAMPLES)))
    except KaldiError as error:
        raise KaldiError("truncated: the end does not decode") from error
    if decoded < info.num_samples:
        raise KaldiError(f"truncated: {decoded} of {info.num_samples} samples decode")
    return replace(info, as_it_stands=False)


def _described(audio: soundfile.SoundFile) -> tuple[AudioInfo, bool]:
    info = AudioInfo(audio.format, audio.subtype, audio.channels, audio.samplerate, audio.frames, audio.seekable())
    return info, audio.format != "FLAC" or audio.frames == 0 or end_decodes(audio)


def require_alike(kinds: list[tuple[int, int]]) -> None:
    """Refuse joined streams that cannot be one recording.

    Args:
        kinds: Hz and channels of each.

    Raises:
        KaldiError: they differ.
    """
    if len(set(kinds)) > 1:
        listed = " and ".join(f"{rate} Hz with {channels} channels" for rate, channels in sorted(set(kinds)))
        raise KaldiError(f"holds several joined files, of {listed}; split it, or convert the parts to one rate")


def end_decodes(audio: soundfile.SoundFile) -> bool:
    """Whether the last sample that the header counts is there."""
    import soundfile

    try:
        audio.seek(audio.frames - 1)
        return len(audio.read(1)) == 1
    except soundfile.LibsndfileError:
        return False


def with_soundfile(file: int | BytesFile, work: Callable[[soundfile.SoundFile], T]) -> T:
    """The result of `work` on an opened file.

    Args:
        file: a descriptor, which stays open (with a name, its extension would decide the format), or its bytes.
        work: gets the opened file.

    Raises:
        KaldiError: libsndfile cannot open or read it; without the file's name.
    """
    import soundfile

    if isinstance(file, int):
        place = os.lseek(file, 0, os.SEEK_CUR)  # a stream's buffer holds the bytes before it
        os.lseek(file, 0, os.SEEK_SET)
    else:
        file.seek(0)
    opened = False
    try:
        with soundfile.SoundFile(file, closefd=False) as audio:
            opened = True
            return work(audio)
    except (soundfile.LibsndfileError, ValueError) as error:  # ValueError: a header that soundfile itself refuses
        said = (error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)).rstrip(".")
        if opened:
            raise KaldiError(f"{DAMAGED}it does not decode to its end ({said})") from error
        size, head = _size_and_head(file)
        raise KaldiError(f"{NO_AUDIO} ({said}): {size} bytes that begin {head!r}") from error
    finally:
        if isinstance(file, int):
            os.lseek(file, place, os.SEEK_SET)


def _size_and_head(file: int | BytesFile) -> tuple[int, bytes]:
    if isinstance(file, int):
        return os.fstat(file).st_size, os.pread(file, 12, 0)
    return len(file.getbuffer()), bytes(file.getbuffer()[:12])


def foreign_container(stream: Reader) -> str:
    """The name of a container that only ffmpeg reads; "" for any other file. The stream is then at its beginning."""
    start = stream.read(_HEAD_BYTES)
    tags = leading_tags(start)
    if tags >= len(start):
        stream.seek(0)
        data = stream.read()  # the tags hold a picture of the cover
        start, tags = data, leading_tags(data)
    stream.seek(0)
    return _container(start[tags : tags + 12])


def _container(head: bytes) -> str:
    starts = {
        b"\x1a\x45\xdf\xa3": "Matroska/WebM",
        b"\x30\x26\xb2\x75": "WMA",
        b"#!AMR": "AMR",
        **dict.fromkeys((b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9", b"ADIF"), "AAC"),
    }
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):  # the others: QuickTime's before MP4
        return "MP4/M4A"
    return next((kind for start, kind in starts.items() if head.startswith(start)), "")
