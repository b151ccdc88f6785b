"""Make the training lists: what to train on, what to hold out, and the trials that choose the best model.

    python3 -m nnet.make_lists [options] <data-dir> <out-dir>

The data directory has feats.scp, utt2num_frames, utt2spk; with copies also utt2uniq (`copy source`); and utt2rec if the
corpus knows its recordings. The output directory gets train.scp valid.scp utt2num_frames utt2spk
spk2int valid.trials dropped, all at once.

The split is by source recording: an augmented copy belongs to the recording of its clean utterance, and no recording is
on both sides. Were twins on both sides, the held-out score would measure memory. The copies are those of the table
utt2uniq, and those whose names say so: see minikaldi/copies/sources.py.
The same seed gives the same lists; the order of the input lines does not matter.

With --audio-dir the lists serve training from audio too (data.source audio): see nnet/data/wave_lists.py for
the files that are added. The features then serve validation, and utt2num_frames still counts their voiced frames.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from common.errors import InputError
from common.options import OptionError, range_of, sentence_of
from common.program import Parser, run_program
from common.whole_files import write_files, writing_folder
from minikaldi.copies.sources import Sources, find_sources
from nnet.data.hold_out import HoldOutOptions, SourcedUtterance, Split, draw_trials, split_by_recording
from nnet.data.lists import look_up, read_id_table, read_int_table
from nnet.data.wave_lists import AUDIO_FILES, AudioSources, audio_contents

log = logging.getLogger("make_lists")


@dataclass(frozen=True)
class DataDir:
    """The tables of a data directory, and its utterances in order of their ids."""

    feats: dict[str, str]
    num_frames: dict[str, int]
    utterances: list[SourcedUtterance]


def read_data_dir(data_dir: Path) -> DataDir:
    """Read the tables and find the source recording of each utterance.

    Raises:
        InputError: a file is missing, malformed, or lacks an utterance of feats.scp.
    """
    feats = read_id_table(data_dir / "feats.scp")
    num_frames = read_int_table(data_dir / "utt2num_frames")
    utt2spk = read_id_table(data_dir / "utt2spk")
    utt2rec = _optional(data_dir / "utt2rec")
    look_up(num_frames, feats, data_dir / "utt2num_frames")
    look_up(utt2spk, feats, data_dir / "utt2spk")
    ordered = {utt_id: utt2spk[utt_id] for utt_id in sorted(feats)}
    sources = find_sources(ordered, _optional(data_dir / "utt2uniq"), str(data_dir))
    for warning in sources.warnings:
        log.warning("warning: %s", warning)
    recordings = _recordings(sources, utt2rec, data_dir)
    utterances = [
        SourcedUtterance(utt_id, spk_id, recordings[source], utt_id in sources.clean)
        for (utt_id, spk_id), source in zip(ordered.items(), sources.of.values(), strict=True)
    ]
    return DataDir(feats, num_frames, utterances)


def _optional(path: Path) -> dict[str, str] | None:
    return read_id_table(path) if path.is_file() else None


def _recordings(sources: Sources, utt2rec: dict[str, str] | None, data_dir: Path) -> dict[str, str]:
    """The recording of each source: its own, or that of a copy if the source is not in the data."""
    if utt2rec is None:
        return {source: source for source in sources.of.values()}
    recordings: dict[str, str] = {}
    for utt_id, source in sources.of.items():
        if source in utt2rec:
            recordings[source] = utt2rec[source]
        elif source not in recordings and utt_id in utt2rec:
            recordings[source] = sources.affixes.stripped(utt2rec[utt_id])  # it may be renamed as the copy is
    missing = [utt_id for utt_id, source in sources.of.items() if source not in recordings]
    if missing:
        raise InputError(f"{data_dir}/utt2rec: no recording of {missing[0]}; complete the file, or remove it")
    return recordings


def drop_utterances(data: DataDir, min_frames: int, min_utts: int) -> tuple[list[SourcedUtterance], dict[str, str]]:
    """Leave out short utterances, then speakers with few of those that remain (augmented copies count, as in Kaldi).

    Returns:
        The utterances that stay, and utt_id -> reason for the others.
    """
    dropped = {u.utt_id: "too_short" for u in data.utterances if data.num_frames[u.utt_id] < min_frames}
    counts = Counter(u.spk_id for u in data.utterances if u.utt_id not in dropped)
    for u in data.utterances:
        if counts[u.spk_id] < min_utts:
            dropped.setdefault(u.utt_id, "few_utterances")
    return [u for u in data.utterances if u.utt_id not in dropped], dropped


def list_contents(data: DataDir, split: Split, trials: list[tuple[str, str, bool]], dropped: dict[str, str]) -> dict:
    """File name -> lines."""
    used = sorted((*split.train, *split.valid), key=lambda u: u.utt_id)
    speakers = sorted({u.spk_id for u in split.train})
    return {
        "train.scp": [f"{u.utt_id} {data.feats[u.utt_id]}" for u in split.train],
        "valid.scp": [f"{u.utt_id} {data.feats[u.utt_id]}" for u in split.valid],
        "utt2num_frames": [f"{u.utt_id} {data.num_frames[u.utt_id]}" for u in used],
        "utt2spk": [f"{u.utt_id} {u.spk_id}" for u in used],
        "spk2int": [f"{spk_id} {number}" for number, spk_id in enumerate(speakers)],
        "valid.trials": [f"{a} {b} {'target' if target else 'nontarget'}" for a, b, target in trials],
        "dropped": [f"{utt_id} {reason}" for utt_id, reason in sorted(dropped.items())],
    }


def write_directory(out_dir: Path, contents: dict[str, list[str]]) -> None:
    """Write the files to a hidden directory and put it in the place of `out_dir`; other files there are kept.

    An earlier run's audio lists are not kept: they would not be those of these utterances.
    """
    with writing_folder(out_dir) as fresh:
        write_files((str(fresh / name), lines) for name, lines in contents.items())
        if out_dir.exists():
            _keep_others(out_dir, fresh, {*contents, *AUDIO_FILES})


def _keep_others(out_dir: Path, fresh: Path, replaced: set[str]) -> None:
    """Put the files of `out_dir`, except those in `replaced`, into `fresh` too.

    As links: a log that is being written goes on in the same file, and nothing is lost if the process is killed here.
    """

    def ignored(folder: str, names: list[str]) -> set[str]:
        return replaced & set(names) if Path(folder) == out_dir else set()

    shutil.copytree(out_dir, fresh, symlinks=True, ignore=ignored, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def make_lists(
    data_dir: Path,
    out_dir: Path,
    min_frames: int,
    min_utts: int,
    hold_out: HoldOutOptions,
    sources: AudioSources | None = None,
) -> None:
    """The whole program; `sources` is given for lists to train from audio.

    Raises:
        InputError: bad input, nothing left to train on, or too few recordings to hold out.
    """
    data = read_data_dir(data_dir)
    kept, dropped = drop_utterances(data, min_frames, min_utts)
    if len({u.spk_id for u in kept}) < 2:
        raise InputError(
            f"{data_dir}: of {len(data.utterances)} utterances {len(kept)} are left (dropped: {_counts(dropped)}),"
            f" of fewer than two speakers; give more data, or lower --min-frames {min_frames} or --min-utts {min_utts}"
        )
    split = split_by_recording(kept, hold_out)
    dropped.update({u.utt_id: "twin_of_valid" for u in split.twins})
    trials = draw_trials(split.valid, hold_out)
    audio = audio_contents([u.utt_id for u in split.train], sources or AudioSources())
    write_directory(out_dir, list_contents(data, split, trials, dropped) | audio)
    _report(data, split, trials, dropped, out_dir)


def _counts(dropped: dict[str, str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(Counter(dropped.values()).items())) or "none"


def _report(
    data: DataDir, split: Split, trials: list[tuple[str, str, bool]], dropped: dict[str, str], out_dir: Path
) -> None:
    all_speakers, speakers = {u.spk_id for u in data.utterances}, {u.spk_id for u in split.train}
    log.info(
        "%d utterances = train %d + valid %d + dropped %d (%s); %d of %d speakers",
        len(data.utterances), len(split.train), len(split.valid), len(dropped), _counts(dropped),
        len(speakers), len(all_speakers),
    )  # fmt: skip
    targets = sum(target for _, _, target in trials)
    log.info(
        "valid: %d utterances of %d speakers, %d target and %d nontarget trials; %s",
        len(split.valid), len({u.spk_id for u in split.valid}), targets, len(trials) - targets,
        out_dir / "valid.trials",
    )  # fmt: skip
    there = [f"{name} {count}" for name in AUDIO_FILES if (count := _num_lines(out_dir / name))]
    if there:
        log.info("audio: lines of %s", ", ".join(there))


def _num_lines(path: Path) -> int:
    """Lines of a file, 0 if it does not exist."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="python3 -m nnet.make_lists", description="Make training and held-out lists.")
    parser.add_argument("--min-frames", type=int, default=100, help="drop shorter utterances (default %(default)s)")
    parser.add_argument("--min-utts", type=int, default=2, help="drop speakers with fewer (default %(default)s)")
    for field in fields(HoldOutOptions):
        about = f"{sentence_of(field)}, {range_of(field)} (default %(default)s)"
        parser.add_argument(_flag(field.name), type=type(field.default), default=field.default, help=about)
    parser.add_argument(
        "--audio-dir", type=Path, metavar="DIR", help="with wav.scp, vad.scp, maybe segments: for data.source audio"
    )
    for kind in ("noise", "music", "speech"):
        parser.add_argument(f"--{kind}-dir", type=Path, metavar="DIR", help=f"{kind}: wav.scp, reco2dur, utt2spk")
    parser.add_argument("--rir-sets", type=Path, metavar="FILE", help="rooms: lines `weight, rir-list`")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("out_dir", type=Path)
    return parser.parse_args(argv)


def _flag(name: str) -> str:
    """`--valid-share` of `valid_share`."""
    return f"--{name.replace('_', '-')}"


def main(argv: Sequence[str]) -> None:
    """Make the lists; raises InputError as `make_lists`."""
    options = parse_arguments(argv)
    try:
        hold_out = HoldOutOptions(options.valid_share, options.max_valid, options.max_pairs, options.seed)
    except OptionError as error:
        raise InputError(f"{_flag(error.key)} {error.message}") from error
    sources = AudioSources(
        options.audio_dir, options.noise_dir, options.music_dir, options.speech_dir, options.rir_sets
    )
    make_lists(options.data_dir, options.out_dir, options.min_frames, options.min_utts, hold_out, sources)


if __name__ == "__main__":
    run_program(main, "%(name)s: %(message)s")
