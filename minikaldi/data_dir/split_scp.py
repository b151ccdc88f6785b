"""split_scp.pl: split a table into parts, in order: equally many lines, or whole speakers."""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import InputError
from common.program import Parser, positive_int
from common.whole_files import write_files
from minikaldi.data_dir.lines import all_lines, keys_of
from minikaldi.data_dir.split import line_parts, speaker_parts
from minikaldi.data_dir.tables import read_pairs

USAGE = """
  split_scp.pl [--utt2spk=<utt2spk>] in.scp out1.scp out2.scp ...
  split_scp.pl -j <num-parts> <part> [--one-based] [--utt2spk=<utt2spk>] in.scp [out.scp]"""
ABOUT = """Split a table into parts, in order. With -j one part alone, counted from 0 (--one-based: from 1).
A - is standard input or output."""


def speaker_groups(lines: Sequence[str], utt2spk_file: str, table: str) -> list[range]:
    """Index ranges of the lines of one speaker each.

    Raises:
        InputError: an utterance without a speaker, or a speaker whose lines are not together.
    """
    utt2spk = read_pairs(utt2spk_file)
    starts, seen, last = [], set(), None
    for index, utt_id in enumerate(keys_of(lines)):
        spk_id = utt2spk.get(utt_id)
        if spk_id is None:
            raise InputError(f'{table}:{index + 1}: "{utt_id}" is not in {utt2spk_file}')
        if spk_id != last:
            if spk_id in seen:
                raise InputError(f'{table}:{index + 1}: the lines of "{spk_id}" are not together; sort with LC_ALL=C')
            starts.append(index)
            seen.add(spk_id)
            last = spk_id
    ends = [*starts[1:], len(lines)]
    return [range(low, high) for low, high in zip(starts, ends, strict=True)]


def part_ranges(lines: Sequence[str], parts: int, utt2spk_file: str | None, table: str) -> list[range]:
    """Index ranges of the parts; whole speakers if there is a utt2spk file."""
    if utt2spk_file is None:
        return line_parts(len(lines), parts, table)
    groups = speaker_groups(lines, utt2spk_file, table)
    pieces = speaker_parts([len(group) for group in groups], parts, table)
    return [range(groups[piece.start].start, groups[piece.stop - 1].stop) for piece in pieces]


def main(argv: Sequence[str]) -> int:
    """Command line of utils/split_scp.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("-j", nargs=2, metavar=("NUM_PARTS", "PART"), type=int, help="write this part alone")
    parser.add_argument("--one-based", action="store_true", help="-j counts from 1")
    parser.add_argument("--utt2spk", help="keep speakers whole, by this utt2spk")
    parser.add_argument("table")
    parser.add_argument("outputs", nargs="*")
    options = parser.parse(argv)
    lines = all_lines(options.table)
    if options.j is None:
        if not options.outputs:
            parser.error("name the outputs")
        wanted = range(len(options.outputs))
        parts, outputs = len(options.outputs), options.outputs
    else:
        part = options.j[1] - int(options.one_based)
        parts, outputs = positive_int(str(options.j[0])), options.outputs or ["-"]
        if not 0 <= part < parts or len(outputs) != 1:
            parser.error(f"-j {options.j[0]} {options.j[1]}: no such part, or more than one output")
        wanted = range(part, part + 1)
    pieces = part_ranges(lines, parts, options.utt2spk, options.table)
    write_files(
        (output, lines[pieces[index].start : pieces[index].stop]) for index, output in zip(wanted, outputs, strict=True)
    )
    return 0
