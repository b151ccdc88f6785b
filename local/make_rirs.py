#!/usr/bin/env python3
"""Room impulse responses as a list for augmentation; Kaldi's --rir-set-parameters are written next to it in rir_sets.

<root> is RIRS_NOISES, whose small and medium simulated rooms become two sets of weight 0.5, or any folder with a
rir_list of lines `--rir-id X --room-id Y path`. Other options of Kaldi's lists (--rt60 …) are kept.

A path of the list begins with the folder's name, as in RIRS_NOISES, even if the folder has been renamed. If there is
no such file, the path is read as relative to the folder, absolute, or relative to the working directory.

Files that are not 16-bit mono PCM WAV at --rate become a `utils/to_wav.py … |`; of several channels the first is used.
Missing and unreadable responses are listed in <rir-list>.dropped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import log_message, run_program
from common.text_lines import filled_lines
from common.whole_files import write_files
from local.audio_files import AudioFile, inspect_all, report_conversions, require_ffmpeg, wav_scp_entry
from local.data_dir import Dropped
from local.program import add_max_loss, first_of, new_parser
from local.rir_lists import ListedRir, odd_paths, require_plain_paths, write_rir_lists
from minikaldi.copies.rooms import RIR_OPTIONS, make_rir, read_list_line
from minikaldi.data_dir.wav_lines import TO_WAV

ROOMS = ("smallroom", "mediumroom")


def find_lists(root: Path) -> dict[str, Path]:
    """Set name -> its rir_list.

    Raises:
        InputError: neither the two of RIRS_NOISES nor one in the root.
    """
    simulated = {name: root / "simulated_rirs" / name / "rir_list" for name in ROOMS}
    if all(path.is_file() for path in simulated.values()):
        return simulated
    if (root / "rir_list").is_file():
        return {root.name: root / "rir_list"}
    wanted = ", ".join(str(path) for path in (*simulated.values(), root / "rir_list"))
    raise InputError(f"{root}: expected the lists of RIRS_NOISES or one rir_list; looked for {wanted}")


def file_of(path: str, root: Path) -> Path:
    """The file of a list's path: the first of its possible readings that exists, else the first."""
    if path.startswith("/"):
        return Path(path)
    readings = (root / path.split("/", 1)[-1], root / path, Path(path))
    return next((file for file in readings if file.is_file()), readings[0])


def read_list(path: Path, root: Path) -> tuple[list[ListedRir], list[Dropped]]:
    """The entries of a rir_list whose files exist, with paths that can be opened, and the others with reasons.

    Raises:
        InputError: a line of another form.
    """
    entries, dropped = [], []
    for number, line in filled_lines(path, InputError, log_message):
        options, audio = read_list_line(path, number, line, RIR_OPTIONS)
        rir = make_rir(path, number, options, audio)
        if audio.endswith("|"):
            raise InputError(f'{path}:{number}: found the pipe "{audio}", expected a file; write its output to one')
        file = file_of(audio, root)
        others = tuple((name, value) for name, value in options.items() if name not in ("rir-id", "room-id"))
        if not file.is_file():
            dropped.append(Dropped.at(rir.rir_id, f"line {number}: {file} is not there"))
        elif odd_paths([str(file)]):
            reason = f"line {number}: {file} has characters that commands cannot carry"
            dropped.append(Dropped.at(rir.rir_id, reason))
        else:
            entries.append(ListedRir(rir.rir_id, rir.room_id, str(file), others))
    return entries, dropped


def as_wav(entries: Sequence[ListedRir], sample_rate: int, label: str) -> tuple[list[ListedRir], list[Dropped]]:
    """The entries that are audio, with pipes for files that Kaldi cannot read, and the others with reasons."""
    kept, files, dropped = [], [], []
    inspected = list(inspect_all([entry.audio for entry in entries], sample_rate, label))
    require_ffmpeg([file.path for file in inspected if isinstance(file, AudioFile) and file.by_ffmpeg])
    for entry, file in zip(entries, inspected, strict=True):
        if isinstance(file, AudioFile):
            files.append(file)
            kept.append(dataclasses.replace(entry, audio=of_first_channel(file, sample_rate)))
        else:
            dropped.append(Dropped.at(entry.rir_id, f"{file.path} ({file.reason})"))
    report_conversions(files, sample_rate)
    return kept, dropped


def check_loss(path: Path, num_in: int, dropped: Sequence[Dropped], max_loss: float, what: str) -> None:
    """Refuse to lose more than a share.

    Raises:
        InputError: more are dropped.
    """
    if len(dropped) > max_loss * num_in:
        found = first_of([one.reason for one in dropped])
        todo = "fetch them again, or allow it with --max-loss"
        raise InputError(f"{path}: {len(dropped)} of {num_in} {what}: {found}; {todo}")


def of_first_channel(file: AudioFile, sample_rate: int) -> str:
    """How the list names the file.

    The first of several microphones is used, as in Kaldi: the mean of their responses would not be that of a room.
    """
    entry = wav_scp_entry(file, sample_rate)
    several = not file.plain and not file.by_ffmpeg and not file.kind.endswith(" mono")
    return entry.replace(TO_WAV, f"{TO_WAV} --channel 0", 1) if several else entry


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = new_parser("make_rirs.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="RIRS_NOISES, or a folder with a rir_list")
    parser.add_argument("--rate", type=int, default=16000, help="Hz that the features need (default %(default)s)")
    parser.add_argument("rir_list", metavar="rir-list", type=Path, help="file to write, e.g. data/voxceleb/rir_list")
    add_max_loss(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_rirs.py."""
    options = parse_arguments(argv)
    inner = options.root / "RIRS_NOISES"
    root = inner if inner.is_dir() else options.root
    require_plain_paths([str(root)])
    sets: dict[str, list[ListedRir]] = {}
    dropped: list[Dropped] = []
    for name, path in find_lists(root).items():
        entries, missing = read_list(path, root)
        num_in, rooms = len(entries) + len(missing), len({entry.room_id for entry in entries})
        check_loss(path, num_in, missing, options.max_loss, "files are missing")
        sets[name], unreadable = as_wav(entries, options.rate, f"headers of {path}")
        check_loss(path, num_in, unreadable, options.max_loss, "responses cannot be read")
        lost = len(missing) + len(unreadable)
        log_message(f"{path}: {num_in} impulse responses of {rooms} rooms in, {len(sets[name])} out, {lost} dropped")
        dropped += [*missing, *unreadable]
    write_rir_lists(options.rir_list, sets)
    path = options.rir_list.with_name(f"{options.rir_list.name}.dropped")
    write_files([(str(path), [f"{one.utt_id} {one.reason}" for one in dropped])])


if __name__ == "__main__":
    run_program(main)
