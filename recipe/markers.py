"""stage_marker.py: whether a stage's last complete run still holds, by fingerprints of what went in and came out.

A marker is a JSON file; recipe/fingerprints.py says what is noticed.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.program import Parser, log_message
from common.whole_files import writing
from recipe.fingerprints import TREE, difference, path_fingerprint
from recipe.gone_files import gone

STALE = 3

USAGE = """
  stage_marker.py check MARKER [--option k=v ...] [--input PATH ...] [--output PATH ...] [--gone no|inputs|all]
  stage_marker.py write MARKER (the same) [--seconds S] [--count in=N out=N dropped=N]
  stage_marker.py show DIR"""
ABOUT = """check: exit code 0 if the stage is up to date, else 3 and one line that says why. With --gone, a stage that
       must run is refused (exit code 1) if the files that its input tables name are gone; all: also if those of an
       output table were moved.
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


def changed_option(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first difference between two sets of options, in words; None if they are equal."""
    for key, value in now.items():
        if key not in before:
            return f"option {key} is new, {value}"
        if before[key] != value:
            return f"option {key} was {before[key]}, is {value}"
    gone = [key for key in before if key not in now]
    return f"option {gone[0]} was {before[gone[0]]}, is no longer given" if gone else None


def changed_path(kind: str, before: Mapping[str, Any], paths: Sequence[str]) -> str | None:
    """The first difference between recorded fingerprints and what is there now, in words; None if all are equal."""
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


def reason_to_run(
    marker: Path, options: Mapping[str, str], inputs: Sequence[str], outputs: Sequence[str]
) -> str | None:
    """Why a stage must run; None if its last run still holds."""
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
        InputError: the file is not a marker.
    """
    try:
        record = json.loads(marker.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{marker}: not a stage marker ({error}); remove it, and the stage runs again") from error
    parts = [record.get(part) for part in ("options", "inputs", "outputs")] if isinstance(record, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{marker}: not a stage marker; remove it, and the stage runs again")
    return record


def write_marker(
    marker: Path,
    options: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    seconds: float | None = None,
    counts: Mapping[str, str] | None = None,
) -> None:
    """Record a complete run of a stage.

    Args:
        marker: the file.
        options: what the stage depends on.
        inputs: paths that it has read.
        outputs: paths that it has written.
        seconds: how long it took.
        counts: how many utterances went in, came out and were dropped.

    Raises:
        InputError: an input or output does not exist.
    """
    record: dict[str, Any] = {
        "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seconds": seconds,
        "counts": dict(counts or {}),
        "options": dict(options),
        "inputs": {path: path_fingerprint(Path(path)) for path in inputs},
        "outputs": {path: path_fingerprint(Path(path)) for path in outputs},
    }
    for kind in ("inputs", "outputs"):
        missing = [path for path, found in record[kind].items() if found is None]
        if missing:
            raise InputError(f"{marker}: the {kind[:-1]} {missing[0]} is not there, so the stage is not complete")
    marker.parent.mkdir(parents=True, exist_ok=True)
    with writing(marker) as hidden:
        hidden.write_text(json.dumps(record, indent=1) + "\n")


def marker_table(folder: Path) -> list[str]:
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
        print("\n".join(marker_table(marker)))
    elif arguments.action == "write":
        facts = (read_options(arguments.option), arguments.input, arguments.output)
        write_marker(marker, *facts, arguments.seconds, read_options(arguments.count))
    else:
        try:
            reason = reason_to_run(marker, read_options(arguments.option), arguments.input, arguments.output)
        except InputError as error:  # a damaged marker is reported, and counts as none
            log_message(str(error))
            reason = "its marker is damaged"
        refuse_gone(arguments.gone, reason, arguments.input, arguments.output)
        if reason:
            print(reason)
            return STALE
    return 0


def refuse_gone(which: str, reason: str | None, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """See --gone.

    Args:
        which: "no", "inputs" or "all".
        reason: why the stage must run; None if it is up to date, and may be forced.
        inputs: what it reads.
        outputs: what it writes.

    Raises:
        InputError: files are gone, and the stage cannot run or its outputs are elsewhere.
    """
    found = gone(inputs) if which == "inputs" or (which == "all" and reason) else None
    if found is None and which == "all" and reason and reason.startswith("output "):
        found = gone(outputs, moved_alone=True)
    if found:
        raise InputError(found)
