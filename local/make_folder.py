#!/usr/bin/env python3
"""A tree <root>/<speaker>/**/<audio> as a Kaldi data directory, or several trees of one corpus as one.

An utterance id is <speaker>-<relative path with - for /> without the audio extension. Every file is an utterance, or a
line of <data-dir>/dropped with the reason. Speakers with the same name in two trees are one speaker. Genders are read
from --spk2gender, or from <root>.spk2gender if it exists. --trials writes <data-dir>/trials from a list of these ids,
or of paths relative to <root> with or without extension, with lines `1|0 a b` or `a b target|nontarget`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import log_message, run_program
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
from local.genders import read_spk2gender
from local.program import add_max_loss, first_of, new_parser, printable
from local.speaker_ids import speaker_ids, without_blanks
from local.trials import check_list, convert_list
from local.walk import Listing, Passed, drop_second_names, list_files


@dataclass(frozen=True)
class Planned:
    """A file below a speaker's folder.

    Attributes:
        root: the tree.
        path: relative to the root.
        spk_id: speaker id.
        utt_id: the utterance id that it gets if it is audio.
    """

    root: Path
    path: str
    spk_id: str
    utt_id: str

    @property
    def file(self) -> str:
        """The path from the working directory."""
        return f"{self.root}/{self.path}"


@dataclass
class Corpus:
    """What the trees have.

    Attributes:
        speakers: name -> speaker id.
        planned: all files that may be audio.
        utterances: the utterances.
        paths: utt_id -> path relative to its root.
        other_names: path of a link -> the path that is kept of the file.
        dropped: files that are not utterances.
        files: the audio files of the utterances.
    """

    speakers: dict[str, str]
    planned: list[Planned] = field(default_factory=list)
    utterances: list[CorpusUtterance] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    other_names: dict[str, str] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    files: list[AudioFile] = field(default_factory=list)

    @property
    def num_in(self) -> int:
        """Number of entries: utterances and what was dropped."""
        return len(self.utterances) + len(self.dropped)


def list_trees(roots: Sequence[Path]) -> dict[Path, Listing]:
    """What is below each root.

    Raises:
        InputError: a root is not a folder, or has no file.
    """
    listings = {}
    for root in roots:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; expected <root>/<speaker>/**/<audio>")
        listings[root] = list_files(root)
        if not listings[root].files and not listings[root].passed:
            raise InputError(f"{root}: has no file; expected <root>/<speaker>/**/<audio>")
    if len(roots) > 1:
        count = drop_second_names(listings)
        if count:
            log_message(f"{count} files are links to files of another root, and are taken once")
    return listings


def plan_utterances(listings: Mapping[Path, Listing]) -> Corpus:
    """Give each file its id.

    If several trees have a file of the same speaker and name, the ids from the second tree on have the tree's name.
    """
    names = {found.path.split("/", 1)[0] for one in listings.values() for found in one.files if "/" in found.path}
    corpus = Corpus(speaker_ids(names))
    taken: dict[str, Path] = {}
    tags = _tags(list(listings))
    for root, listing in listings.items():
        for passed in listing.passed:
            _drop(corpus, passed)
        for found in listing.files:
            name, slash, rest = found.path.partition("/")
            if not slash:
                corpus.dropped.append(Dropped.at(found.path, "not in a speaker's folder", lost=False))
                continue
            utt_id = _utt_id(corpus.speakers[name], rest)
            if taken.setdefault(utt_id, root) != root:
                utt_id = _utt_id(corpus.speakers[name], f"{tags[root]}/{rest}")
            corpus.planned.append(Planned(root, found.path, corpus.speakers[name], utt_id))
    _report_common_speakers(listings)
    return corpus


def _utt_id(spk_id: str, rest: str) -> str:
    return f"{spk_id}-{without_blanks(without_extension(rest).replace('/', '-'))}"


def _tags(roots: Sequence[Path]) -> dict[Path, str]:
    """A short name of each root: its own, with the number of the root if two have the same."""
    counts = Counter(root.name for root in roots)
    return {root: root.name if counts[root.name] == 1 else f"{root.name}{place}" for place, root in enumerate(roots, 1)}


def _drop(corpus: Corpus, passed: Passed) -> None:
    name, _, rest = passed.path.partition("/")
    is_audio = is_named_audio(passed.path)
    named = passed.is_fault and rest and is_audio
    utt_id = _utt_id(corpus.speakers.get(name, name), rest) if named else passed.path.replace("/", "-")
    is_lost = passed.is_fault and (is_audio or not Path(passed.path).suffix)  # without an extension: a folder, perhaps
    corpus.dropped.append(Dropped.at(utt_id, passed.reason, is_lost))
    if passed.another is not None:
        corpus.other_names[passed.path] = passed.another


def _report_common_speakers(listings: Mapping[Path, Listing]) -> None:
    counts = Counter(name for listing in listings.values() for name in listing.tops)
    common = sorted(name for name, count in counts.items() if count > 1)
    if common:
        log_message(
            f"{len(common)} speakers are in more than one of {', '.join(map(str, listings))} ({first_of(common)}): each"
            " is taken for one person; rename the folder where it is not"
        )


def inspect_planned(corpus: Corpus, sample_rate: int) -> None:
    """Turn the planned files into utterances, or into dropped files, by their headers."""
    label = f"headers of {', '.join(str(root) for root in dict.fromkeys(one.root for one in corpus.planned))}"
    inspected = inspect_all([one.file for one in corpus.planned], sample_rate, label)
    for planned, audio in zip(corpus.planned, inspected, strict=True):
        utt_id, path = planned.utt_id, planned.path
        if isinstance(audio, Unreadable):
            corpus.dropped.append(Dropped.at(utt_id, f"{audio.reason}: {path}", audio.is_audio))
        elif utt_id in corpus.paths:
            corpus.dropped.append(Dropped(utt_id, f"{path} has the id of {corpus.paths[utt_id]}"))
        else:
            entry = wav_scp_entry(audio, sample_rate)
            corpus.utterances.append(CorpusUtterance(utt_id, planned.spk_id, entry, seconds=audio.seconds))
            corpus.paths[utt_id] = path
            corpus.files.append(audio)


def report_speakers(corpus: Corpus, listings: Mapping[Path, Listing]) -> None:
    """Report the speakers whose ids differ from their names, and those without an utterance."""
    renamed = [f"{name} -> {spk_id}" for name, spk_id in corpus.speakers.items() if name != spk_id]
    if renamed:
        log_message(f"{len(renamed)} speakers get another id, so that ids sort and have no blanks: {first_of(renamed)}")
    used = {utterance.spk_id for utterance in corpus.utterances}
    tops = {name for listing in listings.values() for name in listing.tops}
    silent = sorted(printable(name) for name in tops if corpus.speakers.get(name) not in used)
    if silent:
        log_message(f"{len(silent)} of {len(tops)} speakers' folders give no utterance: {first_of(silent)}")


def genders_of(roots: Sequence[Path], spk2gender: Path | None, speakers: dict[str, str]) -> dict[str, str]:
    """Speaker id -> gender.

    Args:
        roots: the trees; `<root>.spk2gender` is read if no file is given.
        spk2gender: the file, if one is given.
        speakers: name -> speaker id.

    Raises:
        InputError: a speaker has two genders.
    """
    beside = [root.parent / f"{root.name}.spk2gender" for root in roots]
    known: dict[str, str] = {}
    for source in [spk2gender] if spk2gender else [path for path in beside if path.is_file()]:
        for name, gender in read_spk2gender(source).items():
            if known.setdefault(name, gender) != gender:
                raise InputError(f"{source}: {name} is {gender}, and another of {', '.join(map(str, beside))} differs")
    unknown = sorted(set(known) - set(speakers) - set(speakers.values()))
    if unknown:
        searched = ", ".join(map(str, roots))
        log_message(f"{len(unknown)} speakers with a gender are not in {searched} ({first_of(unknown)})")
    by_id = {spk_id: known.get(name) or known.get(spk_id) for name, spk_id in speakers.items()}
    return {spk_id: gender for spk_id, gender in by_id.items() if gender}


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_folder.py."""
    parser = new_parser("make_folder.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, action="append", help="the tree; may be given again")
    parser.add_argument("--spk2gender", type=Path, help="lines `speaker m|f`; default: <root>.spk2gender, if there")
    parser.add_argument("--rate", type=int, default=16000, help="Hz that the features need (default %(default)s)")
    parser.add_argument("--trials", type=Path, help="write <data-dir>/trials from this list")
    add_max_loss(parser)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    roots = list(dict.fromkeys(Path(os.path.normpath(root)) for root in options.root))
    listings = list_trees(roots)
    corpus = plan_utterances(listings)
    if options.trials:
        planned = {one.utt_id: (one.path, one.spk_id) for one in corpus.planned}
        dropped = {one.utt_id: one.reason for one in corpus.dropped}
        check_list(options.trials, planned, corpus.other_names, dropped)
    inspect_planned(corpus, options.rate)
    require_ffmpeg([audio.path for audio in corpus.files if audio.by_ffmpeg])
    report_speakers(corpus, listings)
    if not corpus.utterances:
        reasons = first_of([f"{one.utt_id} ({one.reason})" for one in corpus.dropped])
        named = ", ".join(map(str, roots))
        raise InputError(f"{named}: none of {corpus.num_in} files is usable audio below a speaker's folder: {reasons}")
    genders = genders_of(roots, options.spk2gender, corpus.speakers)
    write_data_dir(options.data_dir, corpus.utterances, genders, corpus.dropped)
    report_conversions(corpus.files, options.rate)
    report_counts(options.data_dir, corpus.num_in, len(corpus.utterances), corpus.dropped, options.max_loss)
    if options.trials:
        convert_list(options.data_dir, options.trials, corpus.paths, corpus.other_names)


if __name__ == "__main__":
    run_program(main)
