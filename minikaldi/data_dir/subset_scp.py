"""subset_scp.pl: some lines of a table: the first, the last, or spread over it as in Kaldi."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common.errors import InputError
from common.program import Parser, positive_int
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import all_lines

USAGE = "subset_scp.pl [--first|--last] [--quiet] <num-lines> <in.scp> > <out.scp>"
ABOUT = "Write <num-lines> lines of a table, in order, evenly spread unless --first or --last is given; - is stdin."


def spread_indices(count: int, number: int, offset: int = 0) -> Iterator[int]:
    """`number` of `count` indices: halve lines and number, both rounded down for the first half, and so on."""
    if number == count:
        yield from range(offset, offset + count)
    elif number > 0:
        half = count // 2
        yield from spread_indices(half, number // 2, offset)
        yield from spread_indices(count - half, number - number // 2, offset + half)


def main(argv: Sequence[str]) -> int:
    """Command line of utils/subset_scp.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--first", action="store_true", help="the first lines")
    parser.add_argument("--last", action="store_true", help="the last lines")
    parser.add_argument("--quiet", action="store_true", help="if there are fewer lines: all of them, no error")
    parser.add_argument("number", type=positive_int)
    parser.add_argument("table")
    options = parser.parse(argv)
    lines = all_lines(options.table)
    number = options.number
    if number > len(lines):
        if not options.quiet:
            raise InputError(f"{options.table}: {number} lines are wanted, {len(lines)} are there")
        number = len(lines)
    if options.first:
        indices: Iterator[int] = iter(range(number))
    elif options.last:
        indices = iter(range(len(lines) - number, len(lines)))
    else:
        indices = spread_indices(len(lines), number)
    write_stdout(lines[index] for index in indices)
    return 0
