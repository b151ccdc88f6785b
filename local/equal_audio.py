"""Utterances with the same audio under two ids: files of equal content that are used in the same way.

Files of equal size are compared by their first and last 4 kB, and those that are alike in both by a hash of all bytes.
So most files of a corpus are not read, and the others hardly. Pipes are followed if they read one file. Segments of
recordings with the same audio are equal if their times are.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from common.progress import with_progress
from minikaldi.data_dir.audio_files import file_and_use
from minikaldi.data_dir.directory import read_segments
from minikaldi.data_dir.tables import read_values

END_BYTES = 4096
_THREADS = min(16, 4 * (os.cpu_count() or 1))  # they wait for the disk, not for the processor
_AT_ONCE = 256
_COPY_BYTES = 1 << 20

FileId = tuple[int, int]  # device and inode
Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Heard:
    """The audio of an utterance.

    Attributes:
        side: number of its data directory.
        utt_id: the utterance.
        path: the file that it comes from.
    """

    side: int
    utt_id: str
    path: str


@dataclass(frozen=True)
class _Used:
    """A file as it is now, and what is done with it."""

    path: str
    use: str
    size: int
    file: FileId


def equal_audio(directories: Sequence[Path]) -> list[list[Heard]]:
    """The groups of utterances of some data directories that have the same audio, in the order of the utterances.

    A directory without wav.scp has none. An entry whose file is not there, is empty, or is not certain is left out.

    Raises:
        InputError: a table has an invalid line.
    """
    entries = [_entries(directory) for directory in directories]
    names = list(dict.fromkeys(rxfilename for of_one in entries for _, rxfilename, _ in of_one))
    found = _each(_look_at, names, "sizes of audio files")
    used = {name: one for name, one in zip(names, found, strict=True) if one is not None}
    same_as = _first_of_equal({one.file: one for one in used.values()})
    groups: dict[tuple[FileId, str, str], list[Heard]] = defaultdict(list)
    for side, of_one in enumerate(entries):
        for utt_id, rxfilename, times in of_one:
            if one := used.get(rxfilename):
                groups[same_as.get(one.file, one.file), one.use, times].append(Heard(side, utt_id, one.path))
    return [group for group in groups.values() if len(group) > 1]


def _entries(directory: Path) -> list[tuple[str, str, str]]:
    """(utterance, its entry in wav.scp, its times in the recording) of each utterance."""
    table = directory / "wav.scp"
    if not table.is_file():
        return []
    audio, segments = read_values(table), read_segments(directory)
    if segments is None:
        return [(utt_id, rxfilename, "") for utt_id, rxfilename in audio.items()]
    return [
        (utt_id, audio[rec_id], " ".join(str(float(time)) for time in times))
        for utt_id, (rec_id, times) in segments.items()
        if rec_id in audio
    ]


def _look_at(rxfilename: str) -> _Used | None:
    found = file_and_use(rxfilename)
    if found is None:
        return None
    try:
        status = Path(found[0]).stat()
    except (OSError, ValueError):  # whoever reads the audio reports it
        return None
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return None
    return _Used(*found, status.st_size, (status.st_dev, status.st_ino))


def _first_of_equal(files: Mapping[FileId, _Used]) -> dict[FileId, FileId]:
    """File -> the first file of the same content, for files that have another such file."""
    alike = _several(files.values(), lambda one: one.size)
    ends = _each(_ends, alike, "beginnings and ends of audio files of equal size")
    end_of = {one.file: end for one, end in zip(alike, ends, strict=True) if end is not None}
    alike = _several([one for one in alike if one.file in end_of], lambda one: (one.size, end_of[one.file]))
    wholes = _each(_whole, alike, "whole audio files that begin and end alike")
    first: dict[tuple[int, bytes], FileId] = {}
    return {
        one.file: first.setdefault((one.size, whole), one.file)
        for one, whole in zip(alike, wholes, strict=True)
        if whole is not None
    }


def _several(items: Iterable[Item], key: Callable[[Item], Key]) -> list[Item]:
    """The items whose key another item has."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return [item for group in groups.values() if len(group) > 1 for item in group]


def _ends(one: _Used) -> bytes | None:
    """A hash of the first and the last bytes of a file; None if it cannot be read."""
    try:
        with Path(one.path).open("rb", buffering=0) as stream:
            found = hashlib.blake2b(os.pread(stream.fileno(), END_BYTES, 0), digest_size=16)
            found.update(os.pread(stream.fileno(), END_BYTES, max(0, one.size - END_BYTES)))
    except OSError:
        return None
    return found.digest()


def _whole(one: _Used) -> bytes | None:
    """A hash of a whole file; None if it cannot be read."""
    found = hashlib.blake2b(digest_size=32)
    try:
        with Path(one.path).open("rb", buffering=0) as stream:
            while block := stream.read(_COPY_BYTES):
                found.update(block)
    except OSError:
        return None
    return found.digest()


def _each(work: Callable[[Item], Value], items: Sequence[Item], what: str) -> list[Value]:
    """The result of `work` for each item, in their order, with threads and a progress line."""
    with ThreadPoolExecutor(_THREADS) as threads:
        parts = [items[first : first + _AT_ONCE] for first in range(0, len(items), _AT_ONCE)]
        done = threads.map(lambda part: [work(item) for item in part], parts)
        counted = with_progress((value for values in done for value in values), len(items), what, "files")
        return list(counted)
