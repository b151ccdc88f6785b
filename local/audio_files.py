"""What an audio file is, by its header alone, and how wav.scp names it.

Kaldi itself reads 16-bit PCM WAV. A mono file of that kind at the right rate is named by its path; everything else goes
through `utils/to_wav.py <file> <rate> |`, which decodes, mixes down and resamples.
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
_THREADS = min(16, 4 * (os.cpu_count() or 1))                # reading headers waits for the disk, not for the processor


def is_named_audio(path: str) -> bool:
    """Whether the file's extension is that of a kind of audio."""
    extension = Path(path).suffix.lower()
    return extension in SOUNDFILE_EXTENSIONS or extension in FFMPEG_EXTENSIONS


def without_extension(path: str) -> str:
    """The path without an audio extension; `take.2` keeps its 2."""
    return path.removesuffix(Path(path).suffix) if is_named_audio(path) else path


@dataclass(frozen=True)
class AudioFile:
    """A readable file: what it is in words, whether Kaldi reads it as it stands, its length in s where known."""

    path: str
    kind: str
    plain: bool
    seconds: float | None
    by_ffmpeg: bool = False


@dataclass(frozen=True)
class Unreadable:
    """A file that gives no audio, and why; `is_audio`: its name says that it should have."""

    path: str
    reason: str
    is_audio: bool


def wav_scp_entry(audio: AudioFile, sample_rate: int) -> str:
    """The rest of the file's line in wav.scp."""
    return audio.path if audio.plain else wav_pipe(audio.path, sample_rate)


def wav_pipe(path: str, sample_rate: int) -> str:
    """A pipe that gives the file as 16-bit mono WAV at `sample_rate` Hz; the name may have blanks and quotes."""
    return f"{TO_WAV} {shlex.quote(path)} {sample_rate} |"


def inspect(path: str, sample_rate: int) -> AudioFile | Unreadable:
    """Find out what a file is, by its bytes; of what is no MP3, no Ogg and from no pipe only the header is read.

    Of a file that only ffmpeg reads, and that is named so, the caller looks for an ffmpeg (`require_ffmpeg`).

    Args:
        sample_rate: Hz that the features need.
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
    """The reason in `dropped`, from that of `audio_info`."""
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
    """`inspect` of many files, in their order, by threads, with a progress line."""
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(lambda path: inspect(path, sample_rate), paths, chunksize=1)
        yield from with_progress(found, len(paths), label, "files")


def say_conversions(files: Iterable[AudioFile], sample_rate: int) -> None:
    """Say once, with counts by kind, what does not go to Kaldi as it stands."""
    kinds = Counter(audio.kind for audio in files if not audio.plain)
    if kinds:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(6))
        more = f" and {len(kinds) - 6} more kinds" if len(kinds) > 6 else ""
        log_message(f"through {TO_WAV} to 16-bit mono WAV at {sample_rate} Hz: {listed}{more}")


def require_ffmpeg(paths: Sequence[str]) -> None:
    """Refuse to start a recipe that would fail hours later.

    Raises:
        InputError: there are such files and no ffmpeg on PATH.
    """
    if paths and shutil.which("ffmpeg") is None:
        raise InputError(
            f"{len(paths)} files need ffmpeg, and there is none on PATH ({first_of(paths)}); install ffmpeg "
            "(Debian, Ubuntu: apt-get install ffmpeg; conda: conda install -c conda-forge ffmpeg), or convert them to "
            "FLAC"
        )
