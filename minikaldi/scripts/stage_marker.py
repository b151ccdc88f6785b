"""stage_marker.py: whether a stage's last complete run still holds, by fingerprints of what went in and came out.

A marker is a JSON file. A fingerprint is of the content for a file below 1 MB, of size and modification time for a
larger one; a directory's is that of its regular files, not of its folders, without hidden files and logs. A small .scp
table also stands for the archives that it names, by their sizes and times: made anew, it reads the same although they
differ. A path `root/**` is the whole tree below root: names, sizes and times of its files.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minikaldi.scripts.cli import Parser, ScriptError, tell

SMALL_BYTES = 1 << 20
STALE = 3
TREE = "**"
ARCHIVE_ENTRY = re.compile(rb"^\S+\s+(\S.*):\d+(?:\[[^]]*\])?\s*$", re.MULTILINE)

USAGE = """
  stage_marker.py check MARKER [--option k=v ...] [--input PATH ...] [--output PATH ...]
  stage_marker.py write MARKER (the same) [--seconds S] [--count in=N out=N dropped=N]
  stage_marker.py show DIR"""
ABOUT = """check: exit code 0 where the stage is up to date, else 3 and one line that says why.
write: record that the stage is complete, with the time it took and its counts.
show:  a table of the markers (*.json) in a directory."""


def fingerprint(path: Path) -> str | dict[str, str] | None:
    """What is compared of a file (a string) or of a directory (name -> string); None where there is nothing."""
    if path.name == TREE:
        return tree_fingerprint(path.parent) if path.parent.is_dir() else None
    if path.is_dir():
        names = sorted(entry.name for entry in os.scandir(path) if _counts(entry))
        return {name: _file_fingerprint(path / name) for name in names}
    return _file_fingerprint(path) if path.is_file() else None


def _counts(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and not entry.name.endswith(".log") and entry.is_file()


def _file_fingerprint(path: Path) -> str:
    stat = path.stat()
    if stat.st_size >= SMALL_BYTES:
        return f"size:{stat.st_size} mtime_ns:{stat.st_mtime_ns}"
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    if path.suffix == ".scp":
        for archive in sorted(set(ARCHIVE_ENTRY.findall(content))):
            digest.update(_size_and_time(Path(os.fsdecode(archive))))
    return "sha256:" + digest.hexdigest()


def tree_fingerprint(root: Path) -> str:
    """Of all files below a folder, hidden ones too; links are followed, but not up, and no folder is entered twice."""
    digest = hashlib.sha256()
    seen = {str(folder) for folder in Path(os.path.realpath(root)).parents}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        subfolders[:] = [] if real in seen else sorted(subfolders)
        for name in [] if real in seen else sorted(names):
            path = Path(folder, name)
            digest.update(os.fsencode(path) + b" " + _size_and_time(path))
        seen.add(real)
    return "tree:" + digest.hexdigest()


def _size_and_time(path: Path) -> bytes:
    try:
        stat = path.stat()
    except OSError:
        return b"not there\n"  # whoever reads it will say so
    return b"%d %d\n" % (stat.st_size, stat.st_mtime_ns)


def read_options(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a dict.

    Raises:
        ScriptError: one without `=`.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ScriptError(f'found "{pair}", expected name=value')
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
    for path in paths:
        now = fingerprint(Path(path))
        if now is None:
            return f"{kind} {path} is not there"
        if path not in before:
            return f"{kind} {path} is new"
        if now != before[path]:
            return f"{kind} {_where(path, before[path], now)} changed"
    gone = [path for path in before if path not in paths]
    return f"{kind} {gone[0]} is no longer used" if gone else None


def _where(path: str, before: Any, now: Any) -> str:
    # In a directory: the file that differs.
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                return f"{path}/{name}"
    return path


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
        ScriptError: the file is no marker.
    """
    try:
        record = json.loads(marker.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"{marker}: no stage marker ({error}); remove it, and the stage runs again") from error
    parts = [record.get(part) for part in ("options", "inputs", "outputs")] if isinstance(record, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise ScriptError(f"{marker}: no stage marker; remove it, and the stage runs again")
    return record


def write(marker: Path, arguments: Namespace) -> None:
    """Record a complete run.

    Raises:
        ScriptError: an input or output is not there.
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
            raise ScriptError(f"{marker}: the {kind[:-1]} {missing[0]} is not there, so the stage is not complete")
    marker.parent.mkdir(parents=True, exist_ok=True)
    partial = marker.with_name(f".{marker.name}.{os.getpid()}")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(marker)


def show(folder: Path) -> list[str]:
    """The table of a directory's markers, oldest first."""
    if not folder.is_dir():
        raise ScriptError(f"{folder}: no such directory")
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
        except ScriptError as error:  # a damaged marker is told, and counts as none
            tell(str(error))
            reason = "its marker is damaged"
        if reason:
            print(reason)
            return STALE
    return 0
