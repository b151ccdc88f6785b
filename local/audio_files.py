"""What an audio file is, by its header alone, and how wav.scp names it.

Kaldi itself reads 16-bit PCM WAV. A mono file of that kind at the right rate is named by its path; everything else goes
through `utils/to_wav.py <file> <rate> |`, which decodes, mixes down and resamples.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from local.program import first_of, say
from minikaldi.errors import KaldiError
from minikaldi.feat.audio import needs_ffmpeg, read_audio
from minikaldi.feat.audio_lengths import missing_bytes, missing_in_file
from minikaldi.io.wave import read_wave_header
from minikaldi.progress import with_progress
from minikaldi.scripts.cli import ScriptError
from minikaldi.scripts.wav_lines import TO_WAV

FFMPEG_EXTENSIONS = frozenset((".m4a", ".m4b", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mkv", ".mov", ".3gp", ".amr"))
SOUNDFILE_EXTENSIONS = frozenset(
    (".wav", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".au", ".sph", ".nist")
)
_THREADS = min(16, 4 * (os.cpu_count() or 1))                # reading headers waits for the disk, not for the processor


def without_extension(path: str) -> str:
    """The path without an audio extension; `take.2` keeps its 2."""
    extension = Path(path).suffix
    named_audio = extension.lower() in SOUNDFILE_EXTENSIONS or extension.lower() in FFMPEG_EXTENSIONS
    return path.removesuffix(extension) if named_audio else path


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
    return audio.path if audio.plain else through_to_wav(audio.path, sample_rate)


def through_to_wav(path: str, sample_rate: int) -> str:
    """A pipe that gives the file as 16-bit mono WAV at `sample_rate` Hz; the name may have blanks and quotes."""
    return f"{TO_WAV} {shlex.quote(path)} {sample_rate} |"


def path_of_entry(entry: str) -> str | None:
    """The file that an entry made here names; None for any other pipe."""
    if not entry.endswith("|"):
        return entry
    words = shlex.split(entry)
    return words[1] if words[0] == TO_WAV and len(words) == 4 else None


def inspect(path: str, sample_rate: int) -> AudioFile | Unreadable:
    """Read a file's header.

    Args:
        sample_rate: Hz that the features need.
    """
    extension = Path(path).suffix.lower()
    named_audio = extension in SOUNDFILE_EXTENSIONS or extension in FFMPEG_EXTENSIONS
    if Path(path).stat().st_size == 0:
        return Unreadable(path, "empty file", named_audio)
    if extension in FFMPEG_EXTENSIONS:
        return AudioFile(path, extension[1:], plain=False, seconds=None, by_ffmpeg=True)
    try:
        with soundfile.SoundFile(path) as audio:
            return _described(path, audio, sample_rate)
    except soundfile.LibsndfileError as error:
        if needs_ffmpeg(path):
            return AudioFile(path, f"misnamed {extension}", plain=False, seconds=None, by_ffmpeg=True)
        if named_audio:
            return Unreadable(path, f"not audio: {error.error_string.rstrip('.')}", is_audio=True)
        return Unreadable(path, f"no audio file ({extension or 'no extension'})", is_audio=False)


def _described(path: str, audio: soundfile.SoundFile, sample_rate: int) -> AudioFile | Unreadable:
    missing = missing_in_file(path)
    if missing:
        return Unreadable(path, f"truncated: the header promises {missing} more bytes", True)
    # Without a length is what a program writes into a pipe; to libsndfile some of these files have no samples.
    frames = _decoded_frames(path) if missing is None else audio.frames
    if frames == 0:
        return Unreadable(path, "a header and no samples", True)
    if audio.format == "FLAC" and not _last_sample_decodes(audio):
        return Unreadable(path, "truncated: the end does not decode", True)
    plain = (audio.format, audio.subtype, audio.channels, audio.samplerate) == ("WAV", "PCM_16", 1, sample_rate)
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    kind = f"{audio.format} {audio.subtype} {audio.samplerate} Hz {channels}"
    return AudioFile(path, kind, plain and missing is not None and _kaldi_reads(path), frames / audio.samplerate)


def judge_wav(path: str, sample_rate: int) -> tuple[bool, str | None]:
    """(whether Kaldi reads a RIFF file as it stands, mono at `sample_rate` Hz; why it gives no audio, or None).

    One opening and one read of a few bytes, for corpora of a million files.
    """
    with Path(path).open("rb") as stream:
        missing = missing_bytes(stream, os.fstat(stream.fileno()).st_size)
        if missing:
            return False, f"truncated: the header promises {missing} more bytes"
        stream.seek(0)
        if stream.peek(4)[:4] != b"RIFF":
            return False, f"no RIFF file, it begins {stream.peek(12)[:12]!r}"
        try:
            header = read_wave_header(stream)
        except KaldiError:
            return False, None  # another encoding, perhaps, which to_wav.py reads
        return missing == 0 and (header.channels, header.sample_rate) == (1, sample_rate), None


def _kaldi_reads(path: str) -> bool:
    """Whether the header is one that Kaldi accepts, which compares more of its fields than libsndfile."""
    try:
        with Path(path).open("rb") as stream:
            read_wave_header(stream)
    except KaldiError:
        return False
    return True


def _decoded_frames(path: str) -> int:
    try:
        return read_audio(path)[0].shape[1]
    except KaldiError:
        return 0


def _last_sample_decodes(audio: soundfile.SoundFile) -> bool:
    try:
        audio.seek(audio.frames - 1)
        return len(audio.read(1)) == 1
    except soundfile.LibsndfileError:
        return False


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
        say(f"through {TO_WAV} to 16-bit mono WAV at {sample_rate} Hz: {listed}{more}")


def require_ffmpeg(paths: Sequence[str]) -> None:
    """Refuse to start a recipe that would fail hours later.

    Raises:
        ScriptError: there are such files and no ffmpeg on PATH.
    """
    if paths and shutil.which("ffmpeg") is None:
        raise ScriptError(
            f"{len(paths)} files need ffmpeg, and there is none on PATH ({first_of(paths)}); install ffmpeg "
            "(Debian, Ubuntu: apt-get install ffmpeg; conda: conda install -c conda-forge ffmpeg), or convert them to "
            "FLAC"
        )
