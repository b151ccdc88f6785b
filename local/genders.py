"""Genders of speakers: spk2gender files and the metadata of VoxCeleb1 and VoxCeleb2."""

from __future__ import annotations

import csv
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from common.text_lines import clean_lines, numbered_fields, trimmed

GENDERS = {"m": "m", "male": "m", "f": "f", "female": "f"}


def read_spk2gender(path: Path) -> dict[str, str]:
    """Speaker -> `m` or `f`, from lines `speaker m|f`, in any case.

    Raises:
        InputError: a line of another form, UTF-16, or a speaker with two genders.
    """
    genders: dict[str, str] = {}
    for number, fields in numbered_fields(path, InputError, log_message):
        if len(fields) != 2 or fields[1].lower() not in GENDERS:
            raise InputError(f'{path}:{number}: found "{" ".join(fields)}", expected `speaker m` or `speaker f`')
        gender = GENDERS[fields[1].lower()]
        if genders.setdefault(fields[0], gender) != gender:
            raise InputError(f"{path}:{number}: {fields[0]} is m and f; keep one line")
    return genders


def read_metadata(path: Path, *keys: str) -> list[dict[str, str]]:
    """Rows of vox1_meta.csv (tab-separated) or vox2_meta.csv (commas, a byte order mark, stray blanks).

    Args:
        path: the table.
        keys: the columns that name the speaker, e.g. `VoxCeleb1 ID`.

    Returns:
        For each row: column -> value, both without surrounding blanks.

    Raises:
        InputError: UTF-16, a missing column of `keys`, `Gender` and `Set`, or a short row.
    """
    with path.open("rb") as stream:
        raw = clean_lines(stream, str(path), InputError, log_message)
        lines = [line.decode("utf-8", "surrogateescape") for line in raw]
    try:
        rows = list(csv.reader(lines, delimiter="\t" if lines and "\t" in lines[0] else ","))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as a table: {error}") from error
    columns = [trimmed(column) for column in rows[0]] if rows else []
    for column in (*keys, "Gender", "Set"):
        if column not in columns:
            raise InputError(f'{path}:1: there is no column "{column}"; found {", ".join(columns) or "an empty file"}')
    table = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(trimmed(field) for field in row):
            continue
        if len(row) < len(columns):
            raise InputError(f"{path}:{number}: found {len(row)} columns, expected {len(columns)}")
        table.append(dict(zip(columns, (trimmed(field) for field in row), strict=False)))
    return table


def metadata_genders(path: Path, rows: list[dict[str, str]], key: str) -> dict[str, str]:
    """Speaker -> gender.

    Args:
        path: the table, for messages.
        rows: from `read_metadata`.
        key: the column that names the speaker.

    Raises:
        InputError: a gender that is neither m nor f.
    """
    for row in rows:
        if row["Gender"].lower() not in GENDERS:
            raise InputError(f'{path}: the gender of {row[key]} is "{row["Gender"]}", expected m or f')
    return {row[key]: GENDERS[row["Gender"].lower()] for row in rows}
