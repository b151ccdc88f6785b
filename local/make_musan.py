#!/usr/bin/env python3
"""MUSAN as data directories <prefix>_music, <prefix>_noise and <prefix>_speech, each with reco2dur.

Reads <root>/{music,noise,speech}/<source>/<file>.{wav,flac}; the id is the file's name. ANNOTATIONS of a music source
has lines `id genres vocals musician`, vocals Y or N: with --use-vocals false, only music known to be without is taken.
A class that is not there is said and left out; one without a file to take is an error.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.audio_files import AudioFile, inspect_all, say_conversions, wav_scp_entry, without_extension
from local.data_dir import Dropped, Utterance, say_counts, write_data_dir
from local.program import add_max_loss, new_parser, run_script, say
from local.rir_lists import require_plain_paths
from minikaldi.scripts.cli import ScriptError, boolean

CLASSES = ("music", "noise", "speech")
EXTENSIONS = (".wav", ".flac")


def read_vocals(folder: Path) -> dict[str, bool]:
    """Music id -> whether somebody sings, from the ANNOTATIONS below a folder.

    Raises:
        ScriptError: a line without four fields, or whose third is neither Y nor N.
    """
    vocals: dict[str, bool] = {}
    for path in sorted(folder.rglob("ANNOTATIONS")):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), start=1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) < 4 or fields[2] not in ("Y", "N"):
                raise ScriptError(f'{path}:{number}: found "{line}", expected `id genres Y|N musician`')
            vocals[fields[0]] = fields[2] == "Y"
    return vocals


def unwanted_music(folder: Path, ids: Sequence[str]) -> dict[str, str]:
    """Id -> why music that must be without vocals leaves it out."""
    vocals = read_vocals(folder)
    return {
        utt_id: "has vocals" if utt_id in vocals else "ANNOTATIONS does not say whether it has vocals"
        for utt_id in ids
        if vocals.get(utt_id, True)
    }


def make_class(name: str, root: Path, data: Path, sample_rate: int, use_vocals: bool, max_loss: float) -> None:
    """Write the data directory of one class.

    Raises:
        ScriptError: it has no file, or no music without vocals where that is wanted, or files are lost.
    """
    folder = root / name
    paths = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not paths:
        raise ScriptError(
            f"{folder}: holds no {' or '.join(EXTENSIONS)} file; fetch the corpus anew, or remove the folder if the"
            " class is to be left out"
        )
    require_plain_paths(paths)
    ids = [without_extension(Path(path).name) for path in paths]
    unwanted = {} if use_vocals or name != "music" else unwanted_music(folder, ids)
    if len(unwanted) == len(ids):
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(unwanted.values()).most_common())
        raise ScriptError(
            f"{folder}: --use-vocals false leaves none of {len(ids)} files: {reasons}; give true, or more music"
        )
    utterances, dropped, files = [], [], []
    for utt_id, audio in zip(ids, inspect_all(paths, sample_rate, f"headers of {folder}"), strict=True):
        if utt_id in unwanted:
            dropped.append(Dropped(utt_id, unwanted[utt_id], lost=False))
        elif isinstance(audio, AudioFile):
            files.append(audio)
            utterances.append(Utterance(utt_id, utt_id, wav_scp_entry(audio, sample_rate), seconds=audio.seconds))
        else:
            dropped.append(Dropped(utt_id, audio.reason))
    write_data_dir(data, utterances, dropped=dropped)
    say_conversions(files, sample_rate)
    say(f"{data}: {sum(one.seconds or 0.0 for one in utterances) / 3600:.2f} h of {name}")
    say_counts(data, len(paths), len(utterances), dropped, max_loss)


def remove_earlier(data: Path) -> None:
    """Remove a data directory of another MUSAN: what reads it next must not take it for this one's."""
    if (data / "wav.scp").is_file():
        shutil.rmtree(data)
        say(f"{data}, made earlier, is removed")


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
        raise ScriptError(f"{options.root}: has none of the folders {', '.join(CLASSES)}; give the folder musan")
    for name in CLASSES:
        if name in there:
            data = Path(f"{options.prefix}_{name}")
            make_class(name, options.root, data, options.rate, options.use_vocals, options.max_loss)
        else:
            say(f"{options.root}/{name} is not there: no {options.prefix}_{name} is made")
            remove_earlier(Path(f"{options.prefix}_{name}"))


if __name__ == "__main__":
    run_script(main)
