"""stage_marker.py: whether a stage's last complete run still holds, by fingerprints of what went in and came out.

A marker is a JSON file; recipe/fingerprints.py says what is noticed.
"""

from __future__ import annotations

import datetime
import json
import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.program import Parser, log_message
from recipe.fingerprints import TREE, difference, fingerprint
from recipe.gone_files import gone

STALE = 3

USAGE = """
  stage_marker.py check MARKER [--option k=v ...] [--input PATH ...] [--output PATH ...] [--gone no|inputs|all]
  stage_marker.py write MARKER (the same) [--seconds S] [--count in=N out=N dropped=N]
  stage_marker.py show DIR"""
ABOUT = """check: exit code 0 where the stage is up to date, else 3 and one line that says why. With --gone, a stage
       that is to run is refused (exit code 1) where the files that its input tables name are gone; all: also where
       those of an output table were moved.
write: record that the stage is complete, with the time it took and its counts.
show:  a table of the markers (*.json) in a directory."""


def read_options(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a dict.

    Raises:
        InputError: one without `=`.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f'found "{pair}", expected name=value')
        options[key] = value
    return options


def changed_option(before: dict[str, str], now: dict[str, str]) -> str | None:
    """The first difference between two sets of options, in words; None where they are equal."""
    for key, value in now.items():
        if key not in before:
            return f"option {key} is new, {value}"
        if before[key] != value:
            return f"option {key} was {before[key]}, is {value}"
    gone = [key for key in before if key not in now]
    return f"option {gone[0]} was {before[gone[0]]}, is no longer given" if gone else None


def changed_path(kind: str, before: dict[str, Any], paths: Sequence[str]) -> str | None:
    """The first difference between recorded fingerprints and what is there now, in words; None where all are equal."""
    for text in paths:
        path = Path(text)
        if not (path.parent.is_dir() if path.name == TREE else path.is_dir() or path.is_file()):
            return f"{kind} {text} is not there"
        if text not in before:
            return f"{kind} {text} is new"
        differs = difference(path, before[text])
        if differs:
            return f"{kind} {differs}"
    unused = [path for path in before if path not in paths]
    return f"{kind} {unused[0]} is no longer used" if unused else None


def check(marker: Path, options: dict[str, str], inputs: Sequence[str], outputs: Sequence[str]) -> str | None:
    """Why the stage is to run; None where its last run still holds."""
    if not marker.is_file():
        return "never run"
    record = read_marker(marker)
    return (
        changed_option(record["options"], options)
        or changed_path("input", record["inputs"], inputs)
        or changed_path("output", record["outputs"], outputs)
    )


def read_marker(marker: Path) -> dict[str, Any]:
    """A marker's content.

    Raises:
        InputError: the file is no marker.
    """
    try:
        record = json.loads(marker.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{marker}: no stage marker ({error}); remove it, and the stage runs again") from error
    parts = [record.get(part) for part in ("options", "inputs", "outputs")] if isinstance(record, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{marker}: no stage marker; remove it, and the stage runs again")
    return record


def write(marker: Path, arguments: Namespace) -> None:
    """Record a complete run.

    Raises:
        InputError: an input or output is not there.
    """
    record: dict[str, Any] = {
        "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seconds": arguments.seconds,
        "counts": read_options(arguments.count),
        "options": read_options(arguments.option),
        "inputs": {path: fingerprint(Path(path)) for path in arguments.input},
        "outputs": {path: fingerprint(Path(path)) for path in arguments.output},
    }
    for kind in ("inputs", "outputs"):
        missing = [path for path, found in record[kind].items() if found is None]
        if missing:
            raise InputError(f"{marker}: the {kind[:-1]} {missing[0]} is not there, so the stage is not complete")
    marker.parent.mkdir(parents=True, exist_ok=True)
    partial = marker.with_name(f".{marker.name}.{os.getpid()}")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(marker)


def show(folder: Path) -> list[str]:
    """The table of a directory's markers, oldest first."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such directory")
    records = [(read_marker(path), path.stem) for path in folder.glob("*.json")]
    lines = [f"{'stage':<12} {'finished':<26} {'seconds':>8}  counts"]
    for record, name in sorted(records, key=lambda item: str(item[0].get("finished"))):
        counts = " ".join(f"{key}={value}" for key, value in record.get("counts", {}).items())
        seconds = "" if record.get("seconds") is None else f"{record['seconds']:g}"
        lines.append(f"{name:<12} {record.get('finished', ''):<26} {seconds:>8}  {counts}".rstrip())
    return lines


def main(argv: Sequence[str]) -> int:
    """Command line of utils/stage_marker.py."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("action", choices=("check", "write", "show"))
    parser.add_argument("marker", help="the marker's file; show: the directory")
    for name in ("option", "input", "output", "count"):
        parser.add_argument(f"--{name}", nargs="+", action="extend", default=[], metavar=name.upper())
    parser.add_argument("--gone", choices=("no", "inputs", "all"), default="no", help="whose files are looked for")
    parser.add_argument("--seconds", type=float, help="how long the stage took")
    arguments = parser.parse(argv)
    marker = Path(arguments.marker)
    if arguments.action == "show":
        print("\n".join(show(marker)))
    elif arguments.action == "write":
        write(marker, arguments)
    else:
        try:
            reason = check(marker, read_options(arguments.option), arguments.input, arguments.output)
        except InputError as error:  # a damaged marker is told, and counts as none
            log_message(str(error))
            reason = "its marker is damaged"
        refuse_gone(arguments.gone, reason, arguments.input, arguments.output)
        if reason:
            print(reason)
            return STALE
    return 0


def refuse_gone(which: str, reason: str | None, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """See --gone. reason: why the stage is to run; one that is up to date may be run again with --force.

    Raises:
        InputError: files are gone, and the stage cannot run or its outputs lie elsewhere.
    """
    found = gone(inputs) if which == "inputs" or (which == "all" and reason) else None
    if found is None and which == "all" and reason and reason.startswith("output "):
        found = gone(outputs, moved_alone=True)
    if found:
        raise InputError(found)
