"""filter_scps.pl: split one table by several lists of ids, e.g. those of the parts of split_data.sh."""

from __future__ import annotations

import re
from collections.abc import Sequence

from common.errors import InputError
from common.program import Parser, log_message, positive_int
from common.whole_files import write_files
from minikaldi.data_dir.filter_scp import nth_fields
from minikaldi.data_dir.lines import blocks, keys_of

USAGE = "filter_scps.pl [-f <field>] [--no-warn] JOB=<first>:<last> <id-list-pattern> <in.scp> <out-pattern>"
ABOUT = """Write, for each number from <first> to <last>, the lines of <in.scp> whose first field (-f: another) is among
the first fields of the list. The word JOB in the patterns stands for the number.
e.g.: filter_scps.pl JOB=1:8 data/train/split8/JOB/spk2utt data/train/feats.scp data/train/split8/JOB/feats.scp"""


def parse_jobs(text: str) -> tuple[str, range]:
    """`JOB=1:8` -> the word that is replaced by the number, and the numbers.

    Raises:
        InputError: another form.
    """
    match = re.fullmatch(r"([A-Za-z_]\w*)=([0-9]{1,9}):([0-9]{1,9})", text)
    if not match or int(match[2]) > int(match[3]):
        raise InputError(f'the jobs are "{text}", expected e.g. JOB=1:8, the first number at most the last')
    return match[1], range(int(match[2]), int(match[3]) + 1)


def deal(table: str, places: dict[str, list[int]], num_lists: int, field: int) -> tuple[list[list[str]], int, int]:
    """The lines for each list; the number of lines that go to none, and of those that go to several.

    Args:
        table: file name.
        places: id -> the indices of the lists that have it.
        num_lists: number of lists.
        field: the field with the id, from 1.
    """
    dealt: list[list[str]] = [[] for _ in range(num_lists)]
    num_lost = num_repeated = 0
    for first, lines in blocks(table):
        looked_up = keys_of(lines) if field == 1 else nth_fields(table, first, lines, field)
        for key, line in zip(looked_up, lines, strict=True):
            indices = places.get(key, ())
            num_lost += not indices
            num_repeated += len(indices) > 1
            for index in indices:
                dealt[index].append(line)
    return dealt, num_lost, num_repeated


def filter_all(id_lists: Sequence[str], table: str, outputs: Sequence[str], field: int = 1, warn: bool = True) -> None:
    """Write, for each list, the lines of a table whose id it has.

    Args:
        id_lists: file names of the lists.
        table: file name of the table.
        outputs: file names to write, one for each list.
        field: the field with the id, from 1.
        warn: whether to report lines that go to none or several of the outputs, and empty outputs.
    """
    places: dict[str, list[int]] = {}
    for index, id_list in enumerate(id_lists):
        for _, lines in blocks(id_list):
            for key in dict.fromkeys(keys_of(lines)):
                if index not in (known := places.setdefault(key, [])):
                    known.append(index)
    dealt, num_lost, num_repeated = deal(table, places, len(id_lists), field)
    write_files(zip(outputs, dealt, strict=True))
    if warn and num_lost:
        log_message(f"warning: {num_lost} lines of {table} are in none of the outputs")
    if warn and num_repeated:
        log_message(f"warning: {num_repeated} lines of {table} are in several outputs (as it must be with --per-utt)")
    for output, lines in zip(outputs, dealt, strict=True):
        if warn and not lines:
            log_message(f"warning: {output} is empty")


def main(argv: Sequence[str]) -> int:
    """Command line of utils/filter_scps.pl."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("-f", type=positive_int, default=1, help="field with the id, counted from 1")
    parser.add_argument("--no-warn", action="store_true", help="do not report lines in none or several of the outputs")
    parser.add_argument("jobs")
    parser.add_argument("id_list")
    parser.add_argument("table")
    parser.add_argument("output")
    options = parser.parse(argv)
    word, numbers = parse_jobs(options.jobs)
    for pattern in (options.id_list, options.output):
        if word not in pattern and len(numbers) > 1:
            raise InputError(f"{pattern} does not hold {word}: {len(numbers)} jobs need as many files")
    id_lists = [options.id_list.replace(word, str(number)) for number in numbers]
    outputs = [options.output.replace(word, str(number)) for number in numbers]
    filter_all(id_lists, options.table, outputs, options.f, not options.no_warn)
    return 0
