"""What a report is about: the rows of a benchmark from a JSON file, or one run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError, why
from scoring.back_ends import PUBLISHED_KEYS

STATES = ("done", "failed", "missing")


@dataclass(frozen=True)
class PublishedFigures:
    """What was published of a system: EER in per cent, minDCF(0.01), raw and with normalised embeddings.

    The fields are `PUBLISHED_KEYS` without the prior.
    """

    eer: float | None = None
    min_dcf: float | None = None
    eer_normalised: float | None = None
    min_dcf_normalised: float | None = None


@dataclass(frozen=True)
class ReportRow:
    """A system of the report.

    Attributes:
        name: short, for file names.
        title: for people.
        exp: its experiment.
        status: one of `STATES`.
        log: the log to read if it failed.
        published: figures of the same system elsewhere.
        reason: why it is missing although it was done.
    """

    name: str
    title: str
    exp: Path
    status: str = "done"
    log: str | None = None
    published: PublishedFigures | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ReportSpec:
    """A report.

    Attributes:
        title: of the page.
        corpus: what was trained and tested on.
        command: that made it.
        published_note: why the published figures differ.
        rows: the systems.
        single: whether this is the report of one run, which shows more of its one system.
    """

    title: str
    corpus: str
    command: str
    published_note: str
    rows: tuple[ReportRow, ...]
    single: bool = False

    @property
    def done(self) -> list[ReportRow]:
        """The rows with results."""
        return [row for row in self.rows if row.status == "done"]


def read_rows(path: Path) -> ReportSpec:
    """Read a benchmark's rows.

    Raises:
        InputError: the file is not JSON, lacks a key, or has a value of another type.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {why(error)}") from error
    top = _mapping(path, "the file", content)
    keys = ("title", "corpus", "command", "published_note")
    title, corpus, command, note = (_text(path, top, "the file", key) for key in keys)
    rows = top.get("rows")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: found no list `rows`; expected one with at least one row")
    read = tuple(_row(path, f"row {number}", row) for number, row in enumerate(rows, 1))
    names = [row.name for row in read]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f'{path}: the name "{name}" has several rows; each needs a name of its own')
    return ReportSpec(title, corpus, command, note, read)


def single_run(exp: Path, title: str, corpus: str, command: str) -> ReportSpec:
    """The report of one run."""
    return ReportSpec(title, corpus, command, "", (ReportRow(exp.name, exp.name, exp),), single=True)


def _row(path: Path, where: str, content: Any) -> ReportRow:
    row = _mapping(path, where, content)
    name, title, exp, status = (_text(path, row, where, key) for key in ("name", "title", "exp", "status"))
    if not name or "/" in name or name.startswith("."):
        raise InputError(f'{path}: {where}: name is "{name}"; expected one that can be the name of a file')
    if status not in STATES:
        raise InputError(f'{path}: {where}: status is "{status}"; choose one of: {", ".join(STATES)}')
    log = None if row.get("log") is None else _text(path, row, where, "log")
    return ReportRow(name, title, Path(exp), status, log, _published(path, where, row.get("published")))


def _published(path: Path, where: str, content: Any) -> PublishedFigures | None:
    if content is None:
        return None
    given = _mapping(path, f"{where}, published", content)
    unknown = sorted(set(given) - set(PUBLISHED_KEYS))
    if unknown:
        raise InputError(f'{path}: {where}: published has "{unknown[0]}"; choose from: {", ".join(PUBLISHED_KEYS)}')
    for key, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise InputError(f"{path}: {where}: published {key} is {value!r}; expected a number or null")
    fields = {key.replace("_0.01", ""): value for key, value in given.items()}
    return dataclasses.replace(PublishedFigures(), **fields)


def _mapping(path: Path, where: str, content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{path}: {where} is {type(content).__name__}; expected an object with names and values")
    return content


def _text(path: Path, mapping: Mapping[str, Any], where: str, key: str) -> str:
    if not isinstance(mapping.get(key), str):
        raise InputError(f"{path}: {where}: found {mapping.get(key)!r} for `{key}`; expected a text")
    return str(mapping[key])
