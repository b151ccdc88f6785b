#!/usr/bin/env python3
"""Room impulse responses as a list for augmentation, with Kaldi's --rir-set-parameters beside it in rir_sets.

<root> is RIRS_NOISES, whose small and medium simulated rooms become two sets of weight 0.5, or any folder with a
rir_list of lines `--rir-id X --room-id Y path`. As in RIRS_NOISES the paths begin with the folder's own name, which may
be another by now. Files that are not 16-bit mono PCM WAV at --rate become a `utils/to_wav.py … |`, of several channels
the first.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.audio_files import AudioFile, inspect_all, say_conversions, wav_scp_entry
from local.program import first_of, new_parser, run_script, say
from local.rir_lists import RirEntry, require_plain_paths, write_rir_lists
from minikaldi.scripts.cli import ScriptError
from minikaldi.scripts.wav_lines import TO_WAV

ROOMS = ("smallroom", "mediumroom")


def find_lists(root: Path) -> dict[str, Path]:
    """Set name -> its rir_list.

    Raises:
        ScriptError: neither the two of RIRS_NOISES nor one in the root.
    """
    simulated = {name: root / "simulated_rirs" / name / "rir_list" for name in ROOMS}
    if all(path.is_file() for path in simulated.values()):
        return simulated
    if (root / "rir_list").is_file():
        return {root.name: root / "rir_list"}
    wanted = ", ".join(str(path) for path in (*simulated.values(), root / "rir_list"))
    raise ScriptError(f"{root}: expected the lists of RIRS_NOISES or one rir_list; looked for {wanted}")


def read_list(path: Path, root: Path) -> list[RirEntry]:
    """The entries of a rir_list, with paths that lead to the files.

    Raises:
        ScriptError: a line of another form, or files that are not there.
    """
    entries, missing = [], []
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise ScriptError(f"{path}:{number}: {error} in {line!r}") from error
        if not words:
            continue
        if len(words) != 5 or words[0] != "--rir-id" or words[2] != "--room-id":
            raise ScriptError(f'{path}:{number}: found "{line}", expected `--rir-id X --room-id Y path`')
        file = root / words[4].split("/", 1)[-1]
        if not file.is_file():
            missing.append(f"line {number}: {file}")
        entries.append(RirEntry(words[1], words[3], str(file)))
    if missing:
        raise ScriptError(f"{path}: {len(missing)} of {len(entries)} files are not there: {first_of(missing)}")
    return entries


def as_wav(entries: Sequence[RirEntry], sample_rate: int, label: str) -> list[RirEntry]:
    """The entries with pipes where Kaldi cannot read the file itself.

    Raises:
        ScriptError: files that are no audio.
    """
    files = list(inspect_all([entry.audio for entry in entries], sample_rate, label))
    bad = [f"{file.path} ({file.reason})" for file in files if not isinstance(file, AudioFile)]
    if bad:
        raise ScriptError(f"{len(bad)} of {len(files)} responses cannot be read: {first_of(bad)}; fetch them again")
    audio = [file for file in files if isinstance(file, AudioFile)]
    say_conversions(audio, sample_rate)
    return [
        RirEntry(entry.rir_id, entry.room_id, of_first_channel(file, sample_rate))
        for entry, file in zip(entries, audio, strict=True)
    ]


def of_first_channel(file: AudioFile, sample_rate: int) -> str:
    """How the list names the file; of several microphones the first is taken, as Kaldi does: a mean of their responses
    is no room's."""
    entry = wav_scp_entry(file, sample_rate)
    several = not file.plain and not file.by_ffmpeg and not file.kind.endswith(" mono")
    return entry.replace(TO_WAV, f"{TO_WAV} --channel 0", 1) if several else entry


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = new_parser("make_rirs.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="RIRS_NOISES, or a folder with a rir_list")
    parser.add_argument("--rate", type=int, default=16000, help="Hz that the features need (default %(default)s)")
    parser.add_argument("rir_list", metavar="rir-list", type=Path, help="file to write, e.g. data/voxceleb/rir_list")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_rirs.py."""
    options = parse(argv)
    inner = options.root / "RIRS_NOISES"
    root = inner if inner.is_dir() else options.root
    sets: dict[str, list[RirEntry]] = {}
    for name, path in find_lists(root).items():
        entries = read_list(path, root)
        require_plain_paths([entry.audio for entry in entries])
        sets[name] = as_wav(entries, options.rate, f"headers of {path}")
        rooms = len({entry.room_id for entry in entries})
        say(f"{path}: {len(entries)} impulse responses of {rooms} rooms in, {len(sets[name])} out, 0 dropped")
    write_rir_lists(options.rir_list, sets)


if __name__ == "__main__":
    run_script(main)
