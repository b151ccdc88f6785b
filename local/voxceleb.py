"""The trees of VoxCeleb1 and VoxCeleb2 on disk as utterances.

There are two layouts: <spk>/<video>/<segment>.<wav|m4a|flac>, and the first one of VoxCeleb1 with speakers' names,
<Name>/<11 characters of the video>_<7 digits of the segment>.wav.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from common.progress import with_progress
from local.audio_files import AudioFile, Unreadable, inspect, require_ffmpeg, wav_pipe
from local.data_dir import CorpusUtterance, Dropped
from local.speaker_ids import speaker_ids, without_blanks
from local.walk import Found, list_files

SAMPLE_RATE = 16000
WAV_HEADER_BYTES = 44
EXTENSIONS = (".wav", ".flac", ".m4a")      # the first is preferred if a segment exists in several
_SPEAKER = re.compile(r"id\d{5}")
_NAME_BASED = re.compile(r"(.{11})_(\d{7})")
_THREADS = 8                                # headers wait for the file server, not for the processor


@dataclass(frozen=True)
class VoxCelebSegment:
    """One audio file of a tree.

    Attributes:
        tree: the folder of speakers.
        path: relative to the tree, as in trial lists.
        speaker: the speaker's folder.
        video: the recording.
        segment: the part of the recording.
        plain: whether Kaldi reads it without conversion.
        by_ffmpeg: whether only ffmpeg reads it.
        fault: why it has no sound, else None.
    """

    tree: Path
    path: str
    speaker: str
    video: str
    segment: str
    plain: bool
    by_ffmpeg: bool
    fault: str | None

    @property
    def file(self) -> str:
        """The path from the working directory."""
        return f"{self.tree}/{self.path}"

    @property
    def extension(self) -> str:
        """`.wav`, `.m4a` or `.flac`."""
        return Path(self.path).suffix.lower()


@dataclass(frozen=True)
class Tree:
    """What a tree has.

    Attributes:
        segments: the audio files.
        dropped: the other files.
    """

    segments: list[VoxCelebSegment]
    dropped: list[Dropped]


def existing_trees(root: Path, candidates: Iterable[str], bare: Collection[str] = ("",)) -> list[Path]:
    """The candidate folders that exist. A folder that is reached by two names, or is inside another, counts once.

    Args:
        root: the corpus.
        candidates: folders relative to the root; "" is the root itself.
        bare: candidates that count only if they have folders of speakers (`id10001`).

    Raises:
        InputError: none exists.
    """
    candidates = list(candidates)
    trees = find_trees(root, candidates, bare)
    if not trees:
        named = ", ".join(name or f"id... in {root} itself" for name in candidates)
        raise InputError(f"{root}: found none of the folders {named}; give the folder that holds one")
    return trees


def find_trees(root: Path, candidates: Iterable[str], bare: Collection[str] = ("",)) -> list[Path]:
    """The same, but empty if none exists."""
    trees: list[Path] = []
    for name in candidates:
        folder = root / name
        is_there = _has_speakers(folder) if name in bare else folder.is_dir()
        real = Path(os.path.realpath(folder))
        known = [Path(os.path.realpath(tree)) for tree in trees if tree != root]
        if is_there and not any(real == tree or (name and real in tree.parents) for tree in known):
            trees.append(folder)
    return trees


def _has_speakers(root: Path) -> bool:
    if not root.is_dir():
        return False
    with os.scandir(root) as entries:
        return any(_SPEAKER.fullmatch(entry.name) and entry.is_dir() for entry in entries)


def _is_speaker(name: str) -> bool:
    return _SPEAKER.fullmatch(name) is not None


def scan(trees: Sequence[Path], root: Path | None = None, bare: Collection[str] = ("",)) -> Tree:
    """List the segments of all trees, sorted by path; the headers are read to find truncated files.

    Args:
        trees: folders of speakers.
        root: the corpus.
        bare: trees, relative to the root; only their folders `id10001` are listed.
    """
    found = Tree([], [])
    only_speakers = {root / name for name in bare} if root else set()
    for tree in trees:
        listing = list_files(tree, _is_speaker if tree in only_speakers else lambda name: True)
        for passed in listing.passed:
            is_lost = passed.is_fault and Path(passed.path).suffix.lower() in ("", *EXTENSIONS)
            found.dropped.append(Dropped.at(passed.path.replace("/", "-"), f"{tree}: {passed.reason}", is_lost))
        speakers = [list(files) for _, files in groupby(listing.files, lambda file: file.path.split("/", 1)[0])]
        with ThreadPoolExecutor(_THREADS) as threads:
            judged = threads.map(lambda files: [_segment(tree, file) for file in files], speakers)  # noqa: B023
            for segments in with_progress(judged, len(speakers), f"headers of {tree}", "speakers"):
                found.segments.extend(one for one in segments if isinstance(one, VoxCelebSegment))
                found.dropped.extend(one for one in segments if isinstance(one, Dropped))
    return found


def _segment(tree: Path, file: Found) -> VoxCelebSegment | Dropped:
    path, size = file.path, file.size
    parts, extension = path.split("/"), Path(path).suffix.lower()
    utt_id = re.sub(r"[/\s]", "-", path)
    if extension not in EXTENSIONS:
        return Dropped(utt_id, "no .wav, .flac or .m4a file", lost=False)
    stem = Path(path).stem
    found = inspect(f"{tree}/{path}", SAMPLE_RATE)
    plain, by_ffmpeg = (found.plain, found.by_ffmpeg) if isinstance(found, AudioFile) else (False, False)
    fault = found.reason if isinstance(found, Unreadable) else None
    if size <= (WAV_HEADER_BYTES if extension == ".wav" else 0):
        fault = f"has {size} bytes: no sound"
    name_based = _NAME_BASED.fullmatch(stem)
    if len(parts) == 3:
        return VoxCelebSegment(tree, path, parts[0], parts[1], stem, plain, by_ffmpeg, fault)
    if len(parts) == 2 and name_based:
        return VoxCelebSegment(tree, path, parts[0], name_based[1], name_based[2], plain, by_ffmpeg, fault)
    return Dropped(utt_id, "neither <spk>/<video>/<segment> nor <Name>/<11 characters>_<7 digits>")


def as_utterances(tree: Tree) -> tuple[list[CorpusUtterance], list[Dropped], dict[str, str]]:
    """Segments as utterances `<spk>-<video>-<segment>` of the recording `<spk>-<video>`.

    WAV files as VoxCeleb has them, 16-bit mono PCM at 16 kHz, are paths in wav.scp. Truncated files are dropped, other
    encodings are pipes of to_wav.py.

    Returns:
        utterances: the utterances.
        dropped: the dropped files, with reasons.
        paths: utterance id -> path as in trial lists.
    """
    ids = speaker_ids({segment.speaker for segment in tree.segments})
    dropped, utterances = list(tree.dropped), list[CorpusUtterance]()
    paths: dict[str, str] = {}
    for segment in sorted(tree.segments, key=lambda one: (EXTENSIONS.index(one.extension), one.path)):
        spk_id = ids[segment.speaker]
        rec_id = f"{spk_id}-{without_blanks(segment.video)}"
        utt_id = f"{rec_id}-{without_blanks(segment.segment)}"
        if segment.fault is not None:
            dropped.append(Dropped(utt_id, f"{segment.file}: {segment.fault}"))
        elif utt_id in paths:
            dropped.append(Dropped(utt_id, f"{segment.file} is there already as {paths[utt_id]}", lost=False))
        else:
            audio = segment.file if segment.plain else wav_pipe(segment.file, SAMPLE_RATE)
            utterances.append(CorpusUtterance(utt_id, spk_id, audio, rec_id))
            paths[utt_id] = segment.path
    return utterances, dropped, paths


def check_decoders(segments: Sequence[VoxCelebSegment]) -> None:
    """Report how many files ffmpeg must decode.

    Raises:
        InputError: there are such files and no ffmpeg on PATH.
    """
    foreign = [segment for segment in segments if segment.by_ffmpeg]
    require_ffmpeg([segment.file for segment in foreign])
    misnamed = sum(segment.extension != ".m4a" for segment in foreign)
    if foreign:
        log_message(f"through ffmpeg: {len(foreign)} files{f' ({misnamed} of them misnamed)' if misnamed else ''}")
