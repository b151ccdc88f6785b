"""The kind of an audio file, by its header alone, and its entry in wav.scp.

Kaldi reads 16-bit PCM WAV. A mono file of that kind with the right rate is a path in wav.scp; every other file is the
pipe `utils/to_wav.py <file> <rate> |`, which decodes, mixes to mono and resamples.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError, KaldiError
from common.program import log_message
from common.progress import with_progress
from local.program import first_of
from minikaldi.data_dir.wav_lines import TO_WAV
from minikaldi.feat.audio_info import NO_AUDIO, ForeignAudioError, audio_info

FFMPEG_EXTENSIONS = frozenset((".m4a", ".m4b", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mkv", ".mov", ".3gp", ".amr"))
SOUNDFILE_EXTENSIONS = frozenset(
    (".wav", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".au", ".sph", ".nist")
)
_THREADS = min(16, 4 * (os.cpu_count() or 1))                # headers wait for the disk, not for the processor


def is_named_audio(path: str) -> bool:
    """Whether the file's extension is that of a kind of audio."""
    extension = Path(path).suffix.lower()
    return extension in SOUNDFILE_EXTENSIONS or extension in FFMPEG_EXTENSIONS


def without_extension(path: str) -> str:
    """The path without an audio extension; `take.2` keeps its 2."""
    return path.removesuffix(Path(path).suffix) if is_named_audio(path) else path


@dataclass(frozen=True)
class AudioFile:
    """A readable file.

    Attributes:
        path: the file.
        kind: what it is, in words.
        plain: whether Kaldi reads it without conversion, at the right rate.
        seconds: its length, if known.
        by_ffmpeg: whether only ffmpeg reads it.
    """

    path: str
    kind: str
    plain: bool
    seconds: float | None
    by_ffmpeg: bool = False


@dataclass(frozen=True)
class Unreadable:
    """A file without readable audio.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        is_audio: whether its name is that of an audio file.
    """

    path: str
    reason: str
    is_audio: bool


def wav_scp_entry(audio: AudioFile, sample_rate: int) -> str:
    """The rest of the file's line in wav.scp."""
    return audio.path if audio.plain else wav_pipe(audio.path, sample_rate)


def wav_pipe(path: str, sample_rate: int) -> str:
    """A pipe that writes the file as 16-bit mono WAV at `sample_rate` Hz; the name may have blanks and quotes."""
    return f"{TO_WAV} {shlex.quote(path)} {sample_rate} |"


def inspect(path: str, sample_rate: int) -> AudioFile | Unreadable:
    """The kind of a file, by its bytes; MP3 and Ogg are read to the end, of other files only the header.

    The caller checks that there is an ffmpeg (`require_ffmpeg`) for files with the extension of a format of ffmpeg.

    Args:
        path: the file.
        sample_rate: rate of the features in Hz.
    """
    extension = Path(path).suffix.lower()
    named_audio = extension in SOUNDFILE_EXTENSIONS or extension in FFMPEG_EXTENSIONS
    try:
        info = audio_info(path)
    except ForeignAudioError as error:
        if extension in FFMPEG_EXTENSIONS:
            return AudioFile(path, extension[1:], plain=False, seconds=None, by_ffmpeg=True)
        if shutil.which("ffmpeg") is None:
            return Unreadable(path, f"is {error}, which needs ffmpeg, and there is none on PATH", is_audio=True)
        return AudioFile(path, f"misnamed {extension}", plain=False, seconds=None, by_ffmpeg=True)
    except KaldiError as error:
        return Unreadable(path, _why_not(str(error), extension, named_audio), named_audio)
    except OSError as error:
        return Unreadable(path, f"cannot be read: {error.strerror}", named_audio)
    plain = info.as_it_stands and info.kaldi_reads and (info.channels, info.rate) == (1, sample_rate)
    channels = {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels} channels")
    kind = f"{info.format} {info.subtype} {info.rate} Hz {channels}"
    return AudioFile(path, kind, plain, info.num_samples / info.rate)


def _why_not(said: str, extension: str, named_audio: bool) -> str:
    """The reason for the table `dropped`, from the message of `audio_info`."""
    if not said.startswith(NO_AUDIO):
        return said
    if extension == ".raw":
        return "samples without a header (.raw), which say neither their rate nor their encoding; convert it to WAV"
    if not named_audio:
        return f"no audio file ({extension or 'no extension'})"
    reason = said.removeprefix(NO_AUDIO).strip()
    if extension == ".wav" and "b'RIFF" not in reason:
        reason = re.sub(r"\d+ bytes that begin", "no RIFF file, it begins", reason)
    return f"not audio: {reason}"


def inspect_all(paths: Sequence[str], sample_rate: int, label: str) -> Iterator[AudioFile | Unreadable]:
    """`inspect` of many files, in their order, with threads and a progress line."""
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(lambda path: inspect(path, sample_rate), paths, chunksize=1)
        yield from with_progress(found, len(paths), label, "files")


def report_conversions(files: Iterable[AudioFile], sample_rate: int) -> None:
    """Report the numbers of files of each kind that Kaldi cannot read without conversion."""
    kinds = Counter(audio.kind for audio in files if not audio.plain)
    if kinds:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(6))
        more = f" and {len(kinds) - 6} more kinds" if len(kinds) > 6 else ""
        log_message(f"through {TO_WAV} to 16-bit mono WAV at {sample_rate} Hz: {listed}{more}")


def require_ffmpeg(paths: Sequence[str]) -> None:
    """Refuse files that only ffmpeg reads if there is no ffmpeg, before hours of work.

    Args:
        paths: the files.

    Raises:
        InputError: there are such files and no ffmpeg on PATH.
    """
    if paths and shutil.which("ffmpeg") is None:
        raise InputError(
            f"{len(paths)} files need ffmpeg, and there is none on PATH ({first_of(paths)}); install ffmpeg "
            "(Debian, Ubuntu: apt-get install ffmpeg; conda: conda install -c conda-forge ffmpeg), or convert them to "
            "FLAC"
        )
