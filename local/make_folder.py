#!/usr/bin/env python3
"""A tree <root>/<speaker>/**/<audio> as a Kaldi data directory.

Utterance ids are <speaker>-<relative path, / as -> without the audio extension. Every file is an utterance or a line of
<data-dir>/dropped with the reason. Genders come from --spk2gender, or from <root>.spk2gender if it is there.
--trials writes <data-dir>/trials from a list that names these ids, or paths relative to <root> with or without
extension, as `1|0 a b` or `a b target|nontarget`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.audio_files import (
    AudioFile,
    Unreadable,
    inspect_all,
    require_ffmpeg,
    say_conversions,
    wav_scp_entry,
    without_extension,
)
from local.data_dir import Dropped, Utterance, say_counts, write_data_dir
from local.genders import read_spk2gender
from local.program import add_max_loss, first_of, new_parser, run_script, say
from local.speaker_ids import check_name, speaker_ids, without_blanks
from local.trials import write_trials
from minikaldi.scripts.cli import ScriptError


@dataclass(frozen=True)
class Corpus:
    """What a tree holds: its utterances, their paths relative to the root, what was dropped, name -> speaker id."""

    utterances: list[Utterance]
    paths: dict[str, str]
    dropped: list[Dropped]
    speakers: dict[str, str]
    files: list[AudioFile]


def find_files(root: Path) -> list[str]:
    """All files below a root as relative paths with `/`, sorted; links are followed, no folder is entered twice.

    Raises:
        ScriptError: no such folder, no file in it, or a name that no table can hold.
    """
    if not root.is_dir():
        raise ScriptError(f"{root}: no such folder; expected <root>/<speaker>/**/<audio>")
    found: list[str] = []
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [] if os.path.realpath(folder) in seen else sorted(subfolders)
        if os.path.realpath(folder) in seen:
            continue
        seen.add(os.path.realpath(folder))
        relative = Path(folder).relative_to(root)
        for name in files:
            path = (relative / name).as_posix()
            check_name(path, f"{root}/{path}")
            found.append(path)
    if not found:
        raise ScriptError(f"{root}: has no file; expected <root>/<speaker>/**/<audio>")
    return sorted(found)


def build(root: Path, paths: Sequence[str], sample_rate: int) -> Corpus:
    """Turn the files of a tree into utterances, by their headers."""
    dropped, wanted = [], []
    for path in paths:
        hidden = any(part.startswith(".") for part in path.split("/"))
        if hidden or "/" not in path:
            reason = "hidden file" if hidden else "not in a speaker's folder"
            dropped.append(Dropped(without_blanks(path.replace("/", "-")), reason, lost=False))
        else:
            wanted.append(path)
    speakers = speaker_ids({path.split("/", 1)[0] for path in wanted})
    corpus = Corpus([], {}, dropped, speakers, [])
    inspected = inspect_all([f"{root}/{path}" for path in wanted], sample_rate, f"headers of {root}")
    for path, audio in zip(wanted, inspected, strict=True):
        _add(corpus, path, audio, sample_rate)
    return corpus


def _add(corpus: Corpus, path: str, audio: AudioFile | Unreadable, sample_rate: int) -> None:
    name, rest = path.split("/", 1)
    spk_id = corpus.speakers[name]
    utt_id = f"{spk_id}-{without_blanks(without_extension(rest).replace('/', '-'))}"
    if isinstance(audio, Unreadable):
        corpus.dropped.append(Dropped(utt_id, f"{audio.reason}: {path}", audio.is_audio))
    elif utt_id in corpus.paths:
        corpus.dropped.append(Dropped(utt_id, f"{path} has the id of {corpus.paths[utt_id]}"))
    else:
        entry = wav_scp_entry(audio, sample_rate)
        corpus.utterances.append(Utterance(utt_id, spk_id, entry, seconds=audio.seconds))
        corpus.paths[utt_id] = path
        corpus.files.append(audio)


def genders_of(root: Path, spk2gender: Path | None, speakers: dict[str, str]) -> dict[str, str]:
    """Speaker id -> gender, from the file given or the one beside the root; empty where there is none."""
    beside = root.parent / f"{root.name}.spk2gender"
    source = spk2gender or (beside if beside.is_file() else None)
    if source is None:
        return {}
    known = read_spk2gender(source)
    strangers = sorted(set(known) - set(speakers) - set(speakers.values()))
    if strangers:
        say(f"{source}: {len(strangers)} speakers are not in {root} ({first_of(strangers)})")
    by_id = {spk_id: known.get(name) or known.get(spk_id) for name, spk_id in speakers.items()}
    return {spk_id: gender for spk_id, gender in by_id.items() if gender}


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_folder.py."""
    parser = new_parser("make_folder.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="the tree")
    parser.add_argument("--spk2gender", type=Path, help="lines `speaker m|f`; default: <root>.spk2gender, if there")
    parser.add_argument("--rate", type=int, default=16000, help="Hz that the features need (default %(default)s)")
    parser.add_argument("--trials", type=Path, help="write <data-dir>/trials from this list")
    add_max_loss(parser)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    root = Path(os.path.normpath(options.root))
    paths = find_files(root)
    corpus = build(root, paths, options.rate)
    require_ffmpeg([audio.path for audio in corpus.files if audio.by_ffmpeg])
    renamed = [f"{name} -> {spk_id}" for name, spk_id in corpus.speakers.items() if name != spk_id]
    if renamed:
        say(f"{len(renamed)} speakers get another id, so that ids sort and have no blanks: {first_of(renamed)}")
    if not corpus.utterances:
        reasons = first_of([f"{one.utt_id} ({one.reason})" for one in corpus.dropped])
        raise ScriptError(f"{root}: none of {len(paths)} files is usable audio below a speaker's folder: {reasons}")
    genders = genders_of(root, options.spk2gender, corpus.speakers)
    write_data_dir(options.data_dir, corpus.utterances, genders, corpus.dropped)
    say_conversions(corpus.files, options.rate)
    say_counts(options.data_dir, len(paths), len(corpus.utterances), corpus.dropped, options.max_loss)
    if options.trials:
        write_trials(options.data_dir, options.trials, corpus.paths)


if __name__ == "__main__":
    run_script(main)
