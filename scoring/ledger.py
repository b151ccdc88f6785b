"""The ledger of results: exp/results.jsonl, one line per scored system and test set.

    python3 -m scoring.ledger list [--benchmark B] [--corpus C] [--row R] [--test-set T] [--every] [FILE …]
    python3 -m scoring.ledger show [the same filters] [FILE …]

`list` prints a table of the newest result of each system, back end and test set; with `--every`, of all lines. `show`
prints the whole records as YAML. docs/reference/ledger.md explains the fields.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, run_program
from common.shared_lines import append_new_lines
from scoring.back_ends import NORMALISED_MARK
from scoring.ledger_record import LedgerRecord, from_line, is_torn, to_line
from scoring.results_table import aligned_table, show_interval

logger = logging.getLogger(__name__)

LEDGER_FILE = "results.jsonl"
DEFAULT_LEDGER = Path("exp", LEDGER_FILE)
LISTED = ("benchmark", "row", "system", "back end", "test set")
NONE = "-"  # on the command line: no value
FILTERS = ("benchmark", "corpus", "row", "system", "back_end", "test_set")


def read_ledger_lines(path: Path) -> Iterator[tuple[str, LedgerRecord]]:
    """(line, record) of each line of a ledger, in order; a line that a killed writer left unfinished is left out.

    Raises:
        InputError: the file cannot be read, or a line is not a record; the text names file and line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such ledger; ./pipeline.sh writes it at the end of a run") from error
    yield from _records_in(content, path)


def read_records(path: Path) -> list[LedgerRecord]:
    """The records of a ledger, in the order in which they were appended.

    Raises:
        InputError: as `read_ledger_lines`.
    """
    return [record for _, record in read_ledger_lines(path)]


def _records_in(content: bytes, path: Path) -> Iterator[tuple[str, LedgerRecord]]:
    for number, data in enumerate(content.split(b"\n"), start=1):
        line = data.decode("utf-8", "replace").strip()
        if not line:
            continue
        try:
            yield line, from_line(line)
        except InputError as error:
            if not is_torn(line):
                raise InputError(f"{path}:{number}: {error}; correct or remove the line") from error
            logger.warning("%s:%d: left out: the line has no end, its writer was killed", path, number)


def append_records(path: Path, records: Sequence[LedgerRecord]) -> int:
    """Append those records whose outcome differs from that of the newest one of the same place.

    Args:
        path: the ledger; made if it does not exist.
        records: of one run.

    Returns:
        How many were appended.

    Raises:
        InputError: the ledger cannot be written, or holds a line that is not a record.
    """

    def new_lines(content: bytes) -> Iterator[str]:
        outcomes = {record.place: record.outcome for _, record in _records_in(content, path)}
        for record in records:
            if outcomes.get(record.place) != record.outcome:
                yield to_line(record)

    return append_new_lines(path, new_lines)


def newest_records(records: Iterable[LedgerRecord]) -> list[LedgerRecord]:
    """The last record of each place, in the order of the places' first records."""
    newest: dict[tuple[object, ...], LedgerRecord] = {}
    for record in records:
        newest[record.place] = record
    return list(newest.values())


def listed_rows(records: Sequence[LedgerRecord]) -> list[list[str]]:
    """A header and a row for each record, for `list`."""
    rows = [[*LISTED, "EER % [95 %]", "minDCF(0.01) [95 %]", "seed", "date", "code"]]
    for record in records:
        min_dcf = record.min_dcf.get("0.01")
        code = (record.commit or "no git")[:10] + ("" if record.clean is not False else " changed")
        rows.append(
            [
                record.benchmark or NONE, record.row,
                record.system + (NORMALISED_MARK if record.normalised else ""), record.back_end, record.test_set,
                show_interval(record.eer, 100.0, 2), show_interval(min_dcf) if min_dcf else "",
                str(record.seed), record.date[:10], code,
            ]
        )  # fmt: skip
    return rows


def _build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(prog="python3 -m scoring.ledger", description=__doc__)
    parser.add_argument("action", choices=("list", "show"), help="print a table, or whole records")
    for name in FILTERS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, metavar="NAME", help=f"only records whose {name.replace('_', ' ')} is NAME (-: none)")
    parser.add_argument("--every", action="store_true", help="also results that later ones of the same run replace")
    parser.add_argument("files", nargs="*", type=Path, help=f"ledgers (default {DEFAULT_LEDGER})")
    return parser


def main(argv: Sequence[str]) -> int:
    """Print the records that the filters let pass; code 1 if there are none."""
    args = _build_parser().parse_intermixed_args(argv)  # files may follow options
    records = [record for path in args.files or [DEFAULT_LEDGER] for record in read_records(path)]
    given = {name: getattr(args, name) for name in FILTERS if getattr(args, name) is not None}
    wanted = {name: None if value == NONE else value for name, value in given.items()}
    found = [record for record in records if all(getattr(record, name) == value for name, value in wanted.items())]
    if not args.every:
        found = newest_records(found)
    if not found:
        seen = {name: sorted({str(getattr(record, name) or NONE) for record in records}) for name in wanted}
        known = "; ".join(f"{name.replace('_', ' ')}: {', '.join(values)}" for name, values in seen.items())
        raise InputError(f"no record fits these filters; there are {known}" if records else "the ledger has no record")
    if args.action == "list":
        header, *rows = listed_rows(found)
        print("\n".join(aligned_table(header, rows)))
    else:
        import yaml

        print(yaml.safe_dump([_shown(record) for record in found], sort_keys=False, allow_unicode=True, width=110))
    return 0


def _shown(record: LedgerRecord) -> dict[str, object]:
    return {**dataclasses.asdict(record), "stages": [dataclasses.asdict(cost) for cost in record.stages]}


if __name__ == "__main__":
    run_program(main)
