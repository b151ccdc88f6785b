"""Whether a stage's last complete run still holds, by fingerprints of its inputs and outputs.

A marker is a JSON file; recipe/fingerprints.py says what is noticed.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.program import Parser
from common.whole_files import writing
from recipe.fingerprints import TREE, difference, path_fingerprint
from recipe.gone_files import gone

USAGE = "stage_marker.py show DIR   e.g.: stage_marker.py show exp/mini-mini/.stages"
ABOUT = "A table of the markers (*.json) in a directory: each stage, when it was complete, its time and memory."


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
    peak_mb: float | None = None,
) -> None:
    """Record a complete run of a stage.

    Args:
        marker: the file.
        options: what the stage depends on.
        inputs: paths that it has read.
        outputs: paths that it has written.
        seconds: how long it took.
        peak_mb: the memory that it needed, in units of 10^6 bytes.

    Raises:
        InputError: an input or output does not exist.
    """
    record: dict[str, Any] = {
        "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seconds": seconds,
        "peak_mb": peak_mb,
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
    lines = [f"{'stage':<12} {'finished':<26} {'seconds':>8} {'peak_mb':>8}"]
    for record, name in sorted(records, key=lambda item: str(item[0].get("finished"))):
        seconds, peak = ("" if record.get(key) is None else f"{record[key]:g}" for key in ("seconds", "peak_mb"))
        lines.append(f"{name:<12} {record.get('finished', ''):<26} {seconds:>8} {peak:>8}".rstrip())
    return lines


def refuse_gone(forced: bool, reason: str | None, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Refuse a stage that must run if its tables name files that are gone.

    Args:
        forced: whether the stage runs whatever the reason; its outputs are then made again, and not checked.
        reason: why the stage must run; None if it is up to date.
        inputs: what it reads.
        outputs: what it writes.

    Raises:
        InputError: files are gone, and the stage cannot run or its outputs are elsewhere.
    """
    if not forced and not reason:
        return
    found = gone(inputs)
    if found is None and not forced and reason and reason.startswith("output "):
        found = gone(outputs, moved_alone=True)
    if found:
        raise InputError(found)


def main(argv: Sequence[str]) -> int:
    """Command line of utils/stage_marker.py."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("action", choices=("show",))
    parser.add_argument("folder", type=Path, help="the directory of the markers")
    print("\n".join(marker_table(parser.parse(argv).folder)))
    return 0
