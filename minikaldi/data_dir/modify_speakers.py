"""modify_speaker_info.sh: split speakers into smaller ones of a few utterances each, or define them by recording.

More and shorter speakers give more varied statistics per speaker, which CMVN or i-vectors per speaker need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message
from minikaldi.data_dir.copy_dir import Renaming, check_copy, refuse_same, renamed
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, by_utterance, read_segments, read_utt2spk, tables_of
from minikaldi.data_dir.durations import make_utt2dur
from minikaldi.data_dir.tables import read_numbers, read_pairs, speakers_of

USAGE = "modify_speaker_info.sh (--utts-per-spk-max N | --seconds-per-spk-max S) [options] <src-dir> <dest-dir>"
ABOUT = """Copy a data directory, with each speaker split into several of a few consecutive utterances:
<spk>-1, <spk>-2 …
e.g.: modify_speaker_info.sh --utts-per-spk-max 2 data/train data/train_max2"""


def groups_of(utts: Sequence[str], most: int, seconds: Mapping[str, float], most_seconds: float) -> list[list[str]]:
    """The utterances in groups of at most `most` utterances and `most_seconds`; a limit <= 0 does not count.

    An utterance that alone is too long is a group of its own.
    """
    groups: list[list[str]] = []
    length = 0.0
    for utt in utts:
        duration = seconds[utt] if most_seconds > 0 else 0.0
        is_full = bool(groups) and (
            (most > 0 and len(groups[-1]) == most) or (most_seconds > 0 and length + duration > most_seconds)
        )
        if not groups or is_full:
            groups.append([])
            length = 0.0
        groups[-1].append(utt)
        length += duration
    return groups


def numbered_speakers(spk_id: str, groups: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """(utt_id, new spk_id): <spk>-1 … with leading zeros, so that the numbers sort."""
    width = len(str(len(groups)))
    for number, utts in enumerate(groups, start=1):
        for utt in utts:
            yield utt, f"{spk_id}-{number:0{width}d}"


def new_speakers(
    directory: Path, most: int, most_seconds: float, respect_speakers: bool, respect_recordings: bool
) -> dict[str, str]:
    """utt_id -> new spk_id, sorted by utterance.

    Args:
        directory: the data directory.
        most: most utterances of a new speaker.
        most_seconds: most seconds of a new speaker.
        respect_speakers: whether all utterances of a new speaker are of one old speaker.
        respect_recordings: whether, if not, they are of one recording.

    Raises:
        InputError: an utterance has no duration.
    """
    utt2spk = by_utterance(read_utt2spk(directory))
    seconds: dict[str, float] = {}
    if most_seconds > 0:
        make_utt2dur(directory)
        seconds = read_numbers(directory / "utt2dur")
        missing = [utt for utt in utt2spk if utt not in seconds]
        if missing:
            raise InputError(f'{directory}/utt2dur: has no line for "{missing[0]}"; remove it, and it is made again')
    if not respect_speakers:
        segments = read_segments(directory) or {}
        recordings = {utt: segments[utt][0] if utt in segments else utt for utt in utt2spk}
        utt2spk = recordings if respect_recordings else dict.fromkeys(utt2spk, "speaker")
    return {
        utt: new
        for spk_id, utts in speakers_of(utt2spk.items()).items()
        for utt, new in numbered_speakers(spk_id, groups_of(utts, most, seconds, most_seconds))
    }


def modify(source: Path, target: Path, utt2spk: dict[str, str], keep_genders: bool) -> None:
    """Write the copy: the tables of utterances and recordings as they are, without those of speakers.

    Args:
        source: the data directory.
        target: the copy.
        utt2spk: the new speakers.
        keep_genders: whether each new speaker is a part of an old one, and has its gender.
    """
    refuse_same(source, target)
    with DirectoryWriter(target) as writer:
        writer.write_speakers(utt2spk)
        for name in tables_of(source):
            if name != "utt2spk" and KINDS[name].level != "spk":
                writer.write(name, renamed(source / name, Renaming()))
        if keep_genders and (source / "spk2gender").is_file():
            genders, old = read_pairs(source / "spk2gender"), read_utt2spk(source)
            parts = {new: old[utt] for utt, new in utt2spk.items()}
            writer.write("spk2gender", (f"{new} {genders[spk]}" for new, spk in parts.items() if spk in genders))
        writer.remove_others()
    check_copy(target, [])


def main(argv: Sequence[str]) -> int:
    """Command line of utils/data/modify_speaker_info.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--utts-per-spk-max", type=int, default=-1, help="most utterances of a speaker (-1: no limit)")
    parser.add_argument(
        "--seconds-per-spk-max", type=float, default=-1, help="most seconds of a speaker (-1: no limit)"
    )
    parser.add_argument(
        "--respect-speaker-info", type=boolean, default=True, help="false: utterances of several may come together"
    )
    parser.add_argument(
        "--respect-recording-info", type=boolean, default=True, help="false: so may those of several recordings"
    )
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse(argv)
    most, most_seconds = options.utts_per_spk_max, options.seconds_per_spk_max
    if most <= 0 and not 0 < most_seconds < float("inf"):
        parser.error("give --utts-per-spk-max, --seconds-per-spk-max or both, above zero")
    source, target = Path(options.source), Path(options.target)
    respect = options.respect_speaker_info
    utt2spk = new_speakers(source, most, most_seconds, respect, options.respect_recording_info)
    modify(source, target, utt2spk, keep_genders=respect)
    before, after = len(set(read_utt2spk(source).values())), len(set(utt2spk.values()))
    log_message(f"copied data from {source} to {target}: {before} speakers became {after}")
    return 0
