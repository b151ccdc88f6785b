"""subset_data_dir.sh: a part of a data directory: the lines of some utterances.

Kaldi takes every n-th utterance. This program draws one of each n: of copies that follow each other in the order of ids
(x-babble, x-music, x-noise …) a fixed step would take the same kind each time.
"""

from __future__ import annotations

import itertools
import random
from argparse import ArgumentTypeError
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message, positive_int
from minikaldi.data_dir.copy_dir import refuse_same
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, by_utterance, read_segments, read_utt2spk, tables_of
from minikaldi.data_dir.lines import all_lines, c_sorted, keys_of
from minikaldi.data_dir.tables import Chosen, read_keys, read_numbers, speakers_of

USAGE = """
  subset_data_dir.sh [--first|--last|--shortest|--speakers|--per-spk] [--seed <n>] <src-dir> <num-utts> <dest-dir>
  subset_data_dir.sh --spk-list <file> <src-dir> <dest-dir>
  subset_data_dir.sh --utt-list <file> <src-dir> <dest-dir>"""
ABOUT = "Copy a part of a data directory; by default <num-utts> utterances, spread over the whole."


def write_subset(source: Path, target: Path, utt2spk: dict[str, str], spk2utt_end: str = "") -> None:
    """Write the tables of `source` for some of its utterances to `target`.

    Args:
        source: the data directory.
        target: the part.
        utt2spk: the utterances, and their speakers.
        spk2utt_end: what is added to each line of spk2utt.

    Raises:
        InputError: no utterance is left, or the target is the source.
    """
    refuse_same(source, target)
    if not utt2spk:
        raise InputError(f"{source}: no utterance is left for {target}; nothing was written")
    with DirectoryWriter(target) as writer:
        write_kept(writer, source, utt2spk, spk2utt_end)
        writer.remove_others()


def write_kept(writer: DirectoryWriter, source: Path, utt2spk: dict[str, str], spk2utt_end: str = "") -> None:
    """Write the lines of all tables of `source` that belong to some of its utterances.

    Args:
        writer: writes them; it may write to `source` itself.
        source: the data directory.
        utt2spk: the utterances, and their speakers.
        spk2utt_end: what is added to each line of spk2utt.
    """
    segments = read_segments(source)
    recordings = {segments[utt][0] for utt in utt2spk if utt in segments} if segments is not None else set[str]()
    everyone = keys_of(all_lines(source / "utt2spk"))
    by_level = {"utt": Chosen(utt2spk, everyone), "spk": Chosen(set(utt2spk.values()), [])}
    by_level["rec"] = by_level["utt"] if segments is None else Chosen(recordings, [])
    writer.write_speakers(utt2spk, spk2utt_end)
    for name in tables_of(source):
        if name not in ("utt2spk", "spk2utt"):
            writer.write(name, by_level[KINDS[name].level].lines(source / name))


def spread(items: Sequence[str], number: int, rng: random.Random) -> list[str]:
    """`number` of the items: one, drawn at random, from each of as many equal runs."""
    edges = [index * len(items) // number for index in range(number + 1)]
    return [items[rng.randrange(low, high)] for low, high in itertools.pairwise(edges)]


def whole_speakers(utt2spk: dict[str, str], number: int, rng: random.Random) -> list[str]:
    """All utterances of randomly chosen speakers, at least `number`."""
    speakers = speakers_of(utt2spk.items())
    order = c_sorted(list(speakers))
    rng.shuffle(order)
    chosen: list[str] = []
    for spk_id in order:
        if len(chosen) >= number:
            break
        chosen += speakers[spk_id]
    return chosen


def each_speaker(utt2spk: dict[str, str], number: int) -> list[str]:
    """At most `number` utterances of every speaker, evenly spread."""
    chosen: list[str] = []
    for utt_ids in speakers_of(utt2spk.items()).values():
        count = min(number, len(utt_ids))
        chosen += [utt_ids[index * len(utt_ids) // count] for index in range(count)]
    return chosen


def shortest(source: Path, utt2spk: dict[str, str], number: int) -> list[str]:
    """The `number` utterances with the fewest frames, or the least duration where the frames are not known.

    Raises:
        InputError: neither utt2num_frames nor utt2dur is there.
    """
    for name in ("utt2num_frames", "utt2dur"):
        if (source / name).is_file():
            lengths = read_numbers(source / name)
            return sorted((utt for utt in utt2spk if utt in lengths), key=lambda utt: (lengths[utt], utt))[:number]
    raise InputError(
        f"{source}: --shortest needs utt2num_frames or utt2dur; make one: utils/data/get_utt2num_frames.sh {source}"
    )


def choose(source: Path, utt2spk: dict[str, str], mode: str, number: int, seed: int) -> list[str]:
    """The utterances of `source` that a mode selects.

    Raises:
        InputError: there are fewer utterances than wanted.
    """
    utts, rng = list(utt2spk), random.Random(f"subset {seed}")
    if mode == "speakers":
        return whole_speakers(utt2spk, number, rng)
    if mode == "per-spk":
        return each_speaker(utt2spk, number)
    if number > len(utts):
        raise InputError(f"{source}: {number} utterances are wanted, {len(utts)} are there")
    if mode == "first":
        return utts[:number]
    if mode == "last":
        return utts[len(utts) - number :]
    if mode == "shortest":
        return shortest(source, utt2spk, number)
    return spread(utts, number, rng)


def utterances_in_list(source: Path, utt2spk: dict[str, str], list_file: str, speakers: bool) -> list[str]:
    """The utterances that a list names, or those of the speakers that it names."""
    wanted = read_keys(list_file)
    found = list(compress(utt2spk, map(wanted.__contains__, utt2spk.values() if speakers else utt2spk)))
    unknown = wanted - (set(utt2spk.values()) if speakers else utt2spk.keys())
    if unknown:
        log_message(f"{len(unknown)} of {len(wanted)} ids in {list_file} are not in {source} (first: {min(unknown)})")
    return found


def subset_parser() -> Parser:
    """Kaldi's options, and --seed."""
    parser = Parser(USAGE, ABOUT)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--first", dest="mode", action="store_const", const="first", help="the first utterances")
    mode.add_argument("--last", dest="mode", action="store_const", const="last", help="the last utterances")
    mode.add_argument("--shortest", dest="mode", action="store_const", const="shortest", help="the shortest utterances")
    mode.add_argument("--speakers", dest="mode", action="store_const", const="speakers", help="whole speakers")
    mode.add_argument("--per-spk", dest="mode", action="store_const", const="per-spk", help="this many of each speaker")
    mode.add_argument("--spk-list", help="the speakers in a file")
    mode.add_argument("--utt-list", help="the utterances in a file")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (default 0)")
    parser.add_argument("arguments", nargs="+", help="source, number unless a list is given, destination")
    return parser


def main(argv: Sequence[str]) -> int:
    """Command line of utils/subset_data_dir.sh."""
    parser = subset_parser()
    options = parser.parse(argv)
    list_file = options.spk_list or options.utt_list
    if len(options.arguments) != (2 if list_file else 3):
        parser.error(f"found {len(options.arguments)} arguments")
    source, target = Path(options.arguments[0]), Path(options.arguments[-1])
    try:
        number = 0 if list_file else positive_int(options.arguments[1])
    except ArgumentTypeError as error:
        parser.error(f"the number of utterances: {error}")
    utt2spk = by_utterance(read_utt2spk(source))
    if list_file:
        chosen = set(utterances_in_list(source, utt2spk, list_file, speakers=options.spk_list is not None))
    else:
        chosen = set(choose(source, utt2spk, options.mode or "spread", number, options.seed))
    kept = {utt: spk for utt, spk in utt2spk.items() if utt in chosen}
    # Kaldi's --per-spk leaves a blank at the end of each line of spk2utt; here too, so that files are equal.
    write_subset(source, target, kept, " " if options.mode == "per-spk" else "")
    log_message(f"{len(kept)} utterances of {source} are in {target}")
    return 0
