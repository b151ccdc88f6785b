"""filter_scp.pl: the lines of a table whose id is in a list, or is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from operator import not_

from common.errors import InputError
from common.program import Parser, positive_int
from common.text_lines import fields_of
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import blocks, keys_of
from minikaldi.data_dir.tables import read_keys

USAGE = "filter_scp.pl [--exclude] [-f <field>] <id-list> [<in.scp>] > <out.scp>"
ABOUT = """Keep the lines whose first field (-f: another) is among the first fields of <id-list>; - is stdin.
With --exclude: the others."""


def filter_lines(table: str, ids: set[str], field: int, exclude: bool) -> Iterator[str]:
    """The lines of a table whose id is in a list, or is not.

    Args:
        table: file name.
        ids: the list.
        field: the field with the id, counted from 1.
        exclude: whether the lines with these ids are left out.

    Raises:
        InputError: a line has fewer fields than `field`.
    """
    for first, lines in blocks(table):
        looked_up = keys_of(lines) if field == 1 else nth_fields(table, first, lines, field)
        found = map(ids.__contains__, looked_up)
        yield from compress(lines, map(not_, found) if exclude else found)


def nth_fields(table: str, first: int, lines: Sequence[str], field: int) -> list[str]:
    """Field number `field`, counted from 1, of each line; `first` is the number of the first line.

    Raises:
        InputError: a line has fewer fields.
    """
    found = []
    for number, line in enumerate(lines, first):
        fields = fields_of(line, field)
        if len(fields) < field:
            raise InputError(f'{table}:{number}: found {len(fields)} fields in "{line}", expected at least {field}')
        found.append(fields[field - 1])
    return found


def main(argv: Sequence[str]) -> int:
    """Command line of utils/filter_scp.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--exclude", action="store_true", help="keep what is not in the list")
    parser.add_argument("-f", type=positive_int, default=1, help="field with the id, counted from 1")
    parser.add_argument("id_list")
    parser.add_argument("table", nargs="?", default="-")
    options = parser.parse(argv)
    if options.id_list == options.table == "-":
        parser.error("the list and the table cannot both be standard input")
    ids = read_keys(options.id_list)
    write_stdout(filter_lines(options.table, ids, options.f, options.exclude))
    return 0
