#!/usr/bin/env python3
"""MUSAN as data directories <prefix>_music, <prefix>_noise and <prefix>_speech, each with reco2dur.

Reads <root>/{music,noise,speech}/**/<file> with any audio extension. The id is the file's name or, if several files
have the same name (MUSAN cut into pieces, several collections), its path, with a number if two paths would be one id.
ANNOTATIONS of a music source has lines `id genres vocals musician`, vocals Y or N; with --use-vocals false, only music
known to be without vocals is used, and pieces of it. A missing class is reported and left out; a class without a usable
file is an error.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError, KaldiError
from common.program import boolean, log_message, run_program
from common.text_lines import numbered_fields
from local.audio_files import (
    AudioFile,
    Unreadable,
    inspect_all,
    is_named_audio,
    report_conversions,
    require_ffmpeg,
    wav_scp_entry,
    without_extension,
)
from local.data_dir import CorpusUtterance, Dropped, report_counts, write_data_dir
from local.program import add_max_loss, first_of, new_parser
from local.rir_lists import odd_paths, require_plain_paths
from local.speaker_ids import without_blanks
from local.walk import list_files
from minikaldi.feat.audio import read_audio

CLASSES = ("music", "noise", "speech")


def read_vocals(annotations: Sequence[Path]) -> dict[str, bool]:
    """Music id -> whether it has vocals, from the files ANNOTATIONS of a class.

    Raises:
        InputError: a line without four fields, or with a third field other than Y and N.
    """
    vocals: dict[str, bool] = {}
    for path in annotations:
        for number, fields in numbered_fields(path, InputError, log_message):
            if len(fields) < 4 or fields[2] not in ("Y", "N"):
                raise InputError(f'{path}:{number}: found "{" ".join(fields)}", expected `id genres Y|N musician`')
            vocals[fields[0]] = fields[2] == "Y"
    return vocals


def unwanted_music(annotations: Sequence[Path], ids: Mapping[str, str]) -> dict[str, str]:
    """Id -> why it is left out if music must be without vocals.

    Args:
        annotations: the files ANNOTATIONS.
        ids: path -> id. ANNOTATIONS names a file, or a folder of its pieces.
    """
    vocals = read_vocals(annotations)
    unwanted = {}
    for path, utt_id in ids.items():
        names = [without_extension(part) for part in reversed(path.split("/"))]
        sung = next((vocals[name] for name in names if name in vocals), None)
        if sung is not False:
            unwanted[utt_id] = "has vocals" if sung else "ANNOTATIONS does not say whether it has vocals"
    return unwanted


def ids_of(paths: Sequence[str]) -> dict[str, str]:
    """Path relative to the class -> id: the file's name, or the whole path if several files have that name.

    Another sound whose id would be the same (`a/b.wav`, `a-b.wav`) gets a number. A sound that exists as WAV and FLAC
    has one id.
    """
    names = {path: without_blanks(without_extension(path.rsplit("/", 1)[-1])) for path in paths}
    counts = Counter(names.values())
    whole = {path: without_blanks(without_extension(path)).replace("/", "-") for path in paths}
    wanted = {path: name if counts[name] == 1 else whole[path] for path, name in names.items()}
    reserved, used = set(wanted.values()), set[str]()
    id_of: dict[str, str] = {}  # path without the extension -> id
    for path, want in wanted.items():
        sound = without_extension(path)
        if sound not in id_of:
            utt_id, number = want, 1
            while utt_id in used or (number > 1 and utt_id in reserved):
                number += 1
                utt_id = f"{want}-{number}"
            used.add(utt_id)
            id_of[sound] = utt_id
    return {path: id_of[without_extension(path)] for path in paths}


def find_sounds(root: Path, name: str) -> tuple[list[str], list[Dropped], list[Path]]:
    """What is below the folder of a class.

    Returns:
        paths: the sounds, relative to the folder.
        dropped: what cannot be used.
        annotations: the files ANNOTATIONS.

    Raises:
        InputError: no sound, or a root whose path commands cannot carry.
    """
    folder = root / name
    require_plain_paths([str(folder)])
    listing = list_files(folder)
    sounds = [found.path for found in listing.files if is_named_audio(found.path)]
    odd = set(odd_paths(sounds))
    dropped = [Dropped.at(path.replace("/", "-"), "the name has characters that commands cannot carry") for path in odd]
    for passed in listing.passed:
        is_sound = is_named_audio(passed.path)
        is_lost = passed.is_fault and (is_sound or not Path(passed.path).suffix)
        if is_sound or is_lost:
            dropped.append(Dropped.at(passed.path.replace("/", "-"), passed.reason, is_lost))
    if not sounds:
        raise InputError(
            f"{folder}: has no file with an audio extension (.wav, .flac, .mp3, …); fetch the corpus again, or remove"
            " the folder if the class is to be left out"
        )
    annotations = [folder / found.path for found in listing.files if found.path.rsplit("/", 1)[-1] == "ANNOTATIONS"]
    return [path for path in sounds if path not in odd], dropped, annotations


def seconds_of(audio: AudioFile) -> float:
    """The length in seconds, which augmentation needs; a file that only ffmpeg reads is decoded for it.

    Raises:
        KaldiError: it cannot be decoded.
    """
    if audio.seconds is not None:
        return audio.seconds
    samples, rate = read_audio(audio.path)
    return samples.shape[1] / rate


def make_class(name: str, root: Path, data: Path, sample_rate: int, use_vocals: bool, max_loss: float) -> None:
    """Write the data directory of one class.

    Raises:
        InputError: no usable file, no music without vocals if that is required, or too many lost files.
    """
    folder = root / name
    paths, dropped, annotations = find_sounds(root, name)
    ids = ids_of(paths)
    unwanted = {} if use_vocals or name != "music" else unwanted_music(annotations, ids)
    if paths and len(unwanted) == len(ids):
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(unwanted.values()).most_common())
        raise InputError(
            f"{folder}: --use-vocals false leaves none of {len(ids)} files: {reasons}; give true, or more music"
        )
    utterances: dict[str, CorpusUtterance] = {}
    files = []
    inspected = list(inspect_all([f"{folder}/{path}" for path in paths], sample_rate, f"headers of {folder}"))
    require_ffmpeg([audio.path for audio in inspected if isinstance(audio, AudioFile) and audio.by_ffmpeg])
    for path, audio in zip(paths, inspected, strict=True):
        utt_id = ids[path]
        if utt_id in unwanted:
            dropped.append(Dropped(utt_id, unwanted[utt_id], lost=False))
        elif utt_id in utterances:
            dropped.append(Dropped(utt_id, f"{path} has the id of another file", lost=False))
        elif isinstance(audio, Unreadable):
            dropped.append(Dropped.at(utt_id, audio.reason))
        else:
            try:
                seconds = seconds_of(audio)
            except KaldiError as error:
                dropped.append(Dropped.at(utt_id, str(error)))
                continue
            files.append(audio)
            utterances[utt_id] = CorpusUtterance(utt_id, utt_id, wav_scp_entry(audio, sample_rate), seconds=seconds)
    if not utterances:
        reasons = first_of([f"{one.utt_id} ({one.reason})" for one in dropped])
        raise InputError(f"{folder}: none of {len(dropped)} files is usable audio: {reasons}")
    write_data_dir(data, list(utterances.values()), dropped=dropped)
    report_conversions(files, sample_rate)
    log_message(f"{data}: {sum(one.seconds or 0.0 for one in utterances.values()) / 3600:.2f} h of {name}")
    report_counts(data, len(utterances) + len(dropped), len(utterances), dropped, max_loss)


def remove_earlier(data: Path) -> None:
    """Remove the data directory of an earlier MUSAN, so that later stages do not use it."""
    if (data / "wav.scp").is_file():
        shutil.rmtree(data)
        log_message(f"{data}, made earlier, is removed")


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_musan.py."""
    parser = new_parser("make_musan.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="the folder musan")
    parser.add_argument("--rate", type=int, default=16000, help="Hz that the features need (default %(default)s)")
    vocals_help = "music with vocals too (default true)"
    parser.add_argument("--use-vocals", type=boolean, default=True, metavar="true|false", help=vocals_help)
    add_max_loss(parser)
    parser.add_argument("prefix", help="of the data directories, e.g. data/voxceleb/musan")
    options = parser.parse_args(argv)
    there = [name for name in CLASSES if (options.root / name).is_dir()]
    if not there:
        raise InputError(f"{options.root}: has none of the folders {', '.join(CLASSES)}; give the folder musan")
    for name in CLASSES:
        if name in there:
            data = Path(f"{options.prefix}_{name}")
            make_class(name, options.root, data, options.rate, options.use_vocals, options.max_loss)
        else:
            log_message(f"{options.root}/{name} is not there: no {options.prefix}_{name} is made")
            remove_earlier(Path(f"{options.prefix}_{name}"))


if __name__ == "__main__":
    run_program(main)
