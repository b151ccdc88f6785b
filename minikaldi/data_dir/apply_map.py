"""apply_map.pl: replace fields of a text by a map: other ids, or several words for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from common.errors import InputError
from common.program import Parser, log_message
from common.text_lines import fields_of
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import blocks, split_keys

USAGE = "apply_map.pl [-f <fields>] [--permissive] <map> < in > out"
ABOUT = """Replace every field (-f 2: the second alone, -f 2-4, -f 2-, -f -3) by the words after it on its line of
<map>. A field that is not in the map is an error; with --permissive it stays, with a warning.
e.g.: apply_map.pl -f 1 old2new.utt < data/train/text > data/renamed/text"""


def parse_fields(text: str) -> slice:
    """Fields counted from 1, `2`, `2-4`, `2-`, `-3` (a colon works as well as the dash), as a slice.

    Raises:
        InputError: another form.
    """
    match = re.fullmatch(r"([0-9]{0,9})([-:]?)([0-9]{0,9})", text)
    first, last = (match[1], match[3] if match[2] else match[1]) if match else ("", "")
    if not (first or last) or "0" in (first, last) or (first and last and int(first) > int(last)):
        raise InputError(f'-f is "{text}", expected fields counted from 1: 2, 2-4, 2- or -3')
    return slice(int(first) - 1 if first else 0, int(last) if last else None)


def read_map(path: str) -> dict[str, str]:
    """Field -> its replacement, which may be empty.

    Raises:
        InputError: two lines have different replacements of one field.
    """
    table: dict[str, str] = {}
    for first, lines in blocks(path):
        for number, (key, *rest) in enumerate(split_keys(lines), first):
            value = " ".join(fields_of(rest[0])) if rest else ""
            if table.setdefault(key, value) != value:
                raise InputError(f'{path}:{number}: "{key}" has another line above; keep one of them')
    return table


def mapped(table: str, replacements: dict[str, str], fields: slice, permissive: bool) -> Iterator[str]:
    """The lines of a table with some fields replaced; a field with an empty replacement is removed.

    Args:
        table: file name.
        replacements: the map.
        fields: the fields that are replaced.
        permissive: whether fields that are not in the map stay, with a warning.

    Raises:
        InputError: a field is not in the map.
    """
    missing: dict[str, str] = {}
    for first, lines in blocks(table):
        for number, line in enumerate(lines, first):
            words = fields_of(line)
            for word in words[fields]:
                if word not in replacements:
                    missing.setdefault(word, f"line {number}")
            if missing and not permissive:
                word, place = next(iter(missing.items()))
                raise InputError(f'{place}: "{word}" is not in the map; add it, or leave such fields with --permissive')
            words[fields] = [new for word in words[fields] if (new := replacements.get(word, word))]
            yield " ".join(words)
    if missing:
        word, place = next(iter(missing.items()))
        log_message(f'warning: {len(missing)} words are not in the map and were left (first: "{word}", {place})')


def main(argv: Sequence[str]) -> int:
    """Command line of utils/apply_map.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("-f", metavar="FIELDS", default="1-", help="fields that are replaced, from 1 (default: all)")
    parser.add_argument("--permissive", action="store_true", help="leave fields that are not in the map")
    parser.add_argument("map")
    options = parser.parse(argv)
    if options.map == "-":
        parser.error("the map cannot be standard input: that is the text")
    write_stdout(mapped("-", read_map(options.map), parse_fields(options.f), options.permissive))
    return 0
