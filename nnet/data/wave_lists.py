"""What a lists directory holds for training from audio: recordings, voice activity, noises, voices and rooms.

    wav.scp      rec_id rxfilename                            of the training utterances
    segments     utt_id rec_id start end [channel]            if the data directory has them
    vad.scp      utt_id rxfilename                            one decision for each frame of the whole utterance
    noise.list   noise_id spk_id rxfilename                   likewise music.list and speech.list
    rir.list     rir_id room_id weight rxfilename

Without torch. The readers of data directories are those of the recipe's augmentation on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.text_lines import fields_of, filled_lines, number_of, trimmed
from minikaldi.copies.noises import read_noises
from minikaldi.copies.rooms import RIR_OPTIONS, make_rir, read_list_line, smoothed
from minikaldi.data_dir.directory import read_segments
from minikaldi.featbin.extract_segments import TO_THE_END, UnusableSegmentError, parse_segment
from nnet.data.lists import StringTable, UtteranceList, look_up, read_id_table

NOISE_KINDS = ("noise", "music", "speech")
AUDIO_FILES = ("wav.scp", "segments", "vad.scp", *(f"{kind}.list" for kind in NOISE_KINDS), "rir.list")
SMOOTHING = 0.3  # Kaldi's default of --rir-smoothing-weight


@dataclass(frozen=True)
class AudioSources:
    """Where make_lists finds audio; None for what is not given.

    Attributes:
        audio_dir: the data directory with wav.scp, vad.scp and perhaps segments.
        noise_dir: noises, as for steps/augment_data.sh.
        music_dir: music, so too.
        speech_dir: speech, so too.
        rir_sets: the file of lists of impulse responses.
    """

    audio_dir: Path | None = None
    noise_dir: Path | None = None
    music_dir: Path | None = None
    speech_dir: Path | None = None
    rir_sets: Path | None = None

    def __post_init__(self) -> None:
        if self.audio_dir is None and any((self.noise_dir, self.music_dir, self.speech_dir, self.rir_sets)):
            raise InputError("noises and rooms need audio: give --audio-dir too")


def audio_contents(train_ids: Sequence[str], sources: AudioSources) -> dict[str, list[str]]:
    """File name -> lines, for the training utterances.

    Raises:
        InputError: a table is missing, malformed, empty, or lacks an utterance.
    """
    if sources.audio_dir is None:
        return {}
    try:
        contents = _utterance_contents(train_ids, sources.audio_dir)
        for kind in NOISE_KINDS:
            directory = getattr(sources, f"{kind}_dir")
            if directory is not None:
                contents[f"{kind}.list"] = _noise_lines(directory)
        if sources.rir_sets is not None:
            contents["rir.list"] = _rir_lines(sources.rir_sets)
    except InputError as error:
        raise InputError(str(error)) from error
    return contents


def _utterance_contents(train_ids: Sequence[str], audio_dir: Path) -> dict[str, list[str]]:
    wav_scp, vad_scp = read_id_table(audio_dir / "wav.scp"), read_id_table(audio_dir / "vad.scp")
    look_up(vad_scp, train_ids, audio_dir / "vad.scp")
    contents = {"vad.scp": [f"{utt_id} {vad_scp[utt_id]}" for utt_id in train_ids]}
    recordings: Iterable[str] = train_ids
    segments = read_segments(audio_dir)
    if segments is not None:
        table = {utt_id: " ".join([rec_id, *times]) for utt_id, (rec_id, times) in segments.items()}
        look_up(table, train_ids, audio_dir / "segments")
        contents["segments"] = [f"{utt_id} {table[utt_id]}" for utt_id in train_ids]
        recordings = sorted({segments[utt_id][0] for utt_id in train_ids})
    look_up(wav_scp, recordings, audio_dir / "wav.scp")
    contents["wav.scp"] = [f"{rec_id} {wav_scp[rec_id]}" for rec_id in recordings]
    return contents


def _noise_lines(directory: Path) -> list[str]:
    noises = read_noises(directory)
    return [
        f"{noise_id} {min(noises.speakers.get(noise_id) or {noise_id})} {noises.audio[noise_id]}"
        for noise_id in noises.ids
    ]


def _rir_lines(rir_sets: Path) -> list[str]:
    lines = [
        line
        for _, text in filled_lines(rir_sets, InputError)
        for weight, comma, path in [text.partition(",")]
        for line in _rirs_of_set(rir_sets, text, _positive(trimmed(weight)) if comma else 0.0, trimmed(path))
    ]
    if not lines:
        raise InputError(f"{rir_sets}: is empty, expected lines `weight, list of impulse responses`")
    return lines


def _positive(text: str) -> float:
    """A finite number above 0; 0 for anything else."""
    value = number_of(text)
    return value if 0 < value < float("inf") else 0.0


def _rirs_of_set(rir_sets: Path, text: str, weight: float, path: str) -> list[str]:
    """The lines of one set."""
    if weight <= 0:
        raise InputError(f"{rir_sets}: found {text!r}, expected `weight, list`, the weight above 0")
    rirs, given = [], []
    for number, line in filled_lines(path, InputError):
        options, audio = read_list_line(Path(path), number, line, RIR_OPTIONS)
        rirs.append(make_rir(Path(path), number, options, audio))
        given.append(float(options["probability"]) if "probability" in options else None)
    if not rirs:
        raise InputError(f"{path}: is empty, expected lines `--rir-id <id> --room-id <id> <file or pipe>`")
    shares = smoothed(given, SMOOTHING, path)
    return [
        f"{rir.rir_id} {rir.room_id} {weight * share:.9g} {rir.audio}" for rir, share in zip(rirs, shares, strict=True)
    ]


@dataclass(frozen=True)
class NoiseLine:
    """A line of noise.list, music.list or speech.list."""

    noise_id: str
    spk_id: str
    rxfilename: str


@dataclass(frozen=True)
class RirLine:
    """A line of rir.list."""

    rir_id: str
    weight: float
    rxfilename: str


@dataclass(frozen=True)
class AudioLists:
    """Audio of the training utterances, in their order, and what is added to it.

    Attributes:
        recordings: rxfilenames of N recordings.
        starts: float64 (N,), seconds in the recording.
        ends: float64 (N,), seconds in the recording; -1 is its end.
        channels: int16 (N,).
        vad: rxfilenames of N decisions on voice activity.
        noises: the lists of "noise", "music" and "speech" that exist.
        rirs: impulse responses.
    """

    recordings: StringTable
    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    channels: npt.NDArray[np.int16]
    vad: StringTable
    noises: dict[str, tuple[NoiseLine, ...]]
    rirs: tuple[RirLine, ...]

    def digest(self) -> str:
        """A hash of what augmentation draws from, without the paths: a resumed run must draw the same."""
        digest = hashlib.sha256(self.starts.tobytes() + self.ends.tobytes())
        for kind in sorted(self.noises):
            names = [f"{entry.noise_id} {entry.spk_id}" for entry in self.noises[kind]]
            digest.update("\n".join([kind, *names]).encode("utf-8", "surrogateescape"))
        digest.update("\n".join(f"{rir.rir_id} {rir.weight!r}" for rir in self.rirs).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def read_audio_lists(lists_dir: Path, utterances: UtteranceList) -> AudioLists:
    """Read what `make_lists --audio-dir` wrote.

    Args:
        lists_dir: the lists directory.
        utterances: its training utterances, without speed copies.

    Raises:
        InputError: made without --audio-dir, or a file that is malformed or lacks an utterance.
    """
    missing = [name for name in ("wav.scp", "vad.scp") if not (lists_dir / name).is_file()]
    if missing:
        raise InputError(
            f"{lists_dir}: no {', '.join(missing)}, which data.source audio reads; make the lists with python3 -m"
            " nnet.make_lists --audio-dir <data directory with wav.scp and vad.scp>"
        )
    utt_ids = [utterances.utt_ids[utt] for utt in range(len(utterances))]
    wav_scp, vad_scp = read_id_table(lists_dir / "wav.scp"), read_id_table(lists_dir / "vad.scp")
    look_up(vad_scp, utt_ids, lists_dir / "vad.scp")
    places = _segments(lists_dir / "segments", utt_ids)
    look_up(wav_scp, (rec_id for rec_id, _, _, _ in places), lists_dir / "wav.scp")
    return AudioLists(
        StringTable(wav_scp[rec_id] for rec_id, _, _, _ in places),
        np.array([start for _, start, _, _ in places]),
        np.array([end for _, _, end, _ in places]),
        np.array([channel for *_, channel in places], np.int16),
        StringTable(vad_scp[utt_id] for utt_id in utt_ids),
        {kind: _read_noise_list(path) for kind in NOISE_KINDS if (path := lists_dir / f"{kind}.list").is_file()},
        _read_rir_list(lists_dir / "rir.list") if (lists_dir / "rir.list").is_file() else (),
    )


def _segments(path: Path, utt_ids: Sequence[str]) -> list[tuple[str, float, float, int]]:
    """(rec_id, start, end, channel) of each utterance; without the file an utterance is a recording."""
    if not path.is_file():
        return [(utt_id, 0.0, TO_THE_END, 0) for utt_id in utt_ids]
    table = read_id_table(path)
    look_up(table, utt_ids, path)
    try:
        segments = [parse_segment(f"{utt_id} {table[utt_id]}") for utt_id in utt_ids]
    except UnusableSegmentError as error:
        raise InputError(f"{path}: {error}; expected `utt_id rec_id start end [channel]`") from error
    return [(segment.recording_id, segment.start, segment.end, max(0, segment.channel)) for segment in segments]


def _fields(path: Path, expected: str) -> list[list[str]]:
    """The lines of a table of files: as many fields as `expected` has words, the last with its blanks."""
    width = len(expected.split())
    lines = [[key, *fields_of(value, width - 2)] for key, value in read_id_table(path).items()]
    wrong = [fields for fields in lines if len(fields) != width]
    if wrong:
        raise InputError(f"{path}: found {' '.join(wrong[0])!r}, expected `{expected}`")
    if not lines:
        raise InputError(f"{path}: is empty, expected lines `{expected}`; make the lists again")
    return lines


def _read_noise_list(path: Path) -> tuple[NoiseLine, ...]:
    return tuple(NoiseLine(*fields) for fields in _fields(path, "noise_id spk_id rxfilename"))


def _read_rir_list(path: Path) -> tuple[RirLine, ...]:
    lines = _fields(path, "rir_id room_id weight rxfilename")
    for rir_id, _, weight, _ in lines:
        if not _positive(weight):
            raise InputError(f"{path}: {rir_id} has the weight {weight!r}, expected a number above 0")
    return tuple(RirLine(rir_id, float(weight), rxfilename) for rir_id, _, weight, rxfilename in lines)
