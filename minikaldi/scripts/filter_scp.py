"""filter_scp.pl: the lines of a table whose id is in a list, or is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minikaldi.scripts.cli import Parser, ScriptError, positive_int
from minikaldi.scripts.tables import numbered_lines, open_output, read_keys

USAGE = "filter_scp.pl [--exclude] [-f <field>] <id-list> [<in.scp>] > <out.scp>"
ABOUT = """Keep the lines whose first field (-f: another) is among the first fields of <id-list>; - is stdin.
With --exclude: the others."""


def filter_lines(table: str, ids: set[str], field: int, exclude: bool) -> Iterator[str]:
    """The lines that stay. `field` counts from 1.

    Raises:
        ScriptError: a line has fewer fields than `field`.
    """
    for number, line in numbered_lines(table):
        fields = line.split(None, field)
        if len(fields) < field:
            raise ScriptError(f'{table}:{number}: found {len(fields)} fields in "{line}", expected at least {field}')
        if (fields[field - 1] in ids) != exclude:
            yield line


def main(argv: Sequence[str]) -> int:
    """Command line of utils/filter_scp.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--exclude", action="store_true", help="keep what is not in the list")
    parser.add_argument("-f", type=positive_int, default=1, help="field that is looked up, counted from 1")
    parser.add_argument("id_list")
    parser.add_argument("table", nargs="?", default="-")
    options = parser.parse(argv)
    if options.id_list == options.table == "-":
        parser.error("the list and the table cannot both be standard input")
    ids = read_keys(options.id_list)
    with open_output("-") as stream:
        stream.writelines(line + "\n" for line in filter_lines(options.table, ids, options.f, options.exclude))
    return 0
