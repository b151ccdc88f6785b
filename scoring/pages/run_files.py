"""What a run wrote about itself: its training curve, and the times and losses of its stages."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import InputError, why
from common.text_files import open_text

CURVE = "curve.tsv"
STAGE_RECORD = "stage_record.json"
"""`python3 -m recipe.stage_record` writes it: times and dropped utterances."""


@dataclass(frozen=True)
class TrainingCurve:
    """Column -> steps and values of those lines that have a value."""

    columns: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def of(self, column: str) -> tuple[list[float], list[float]]:
        """Steps and values of a column; empty if there is none."""
        return self.columns.get(column, ([], []))


@dataclass(frozen=True)
class StageTime:
    """A stage: its number and name, wall seconds, CPU seconds if known."""

    stage: str
    seconds: float
    cpu_seconds: float | None


@dataclass(frozen=True)
class DroppedGroup:
    """Utterances that were dropped in one place for one reason: how many, and the first of them."""

    place: str
    reason: str
    count: int
    first: str


@dataclass(frozen=True)
class StageRecord:
    """Times of the stages and what they dropped."""

    times: tuple[StageTime, ...] = ()
    dropped: tuple[DroppedGroup, ...] = ()


def read_curve(exp: Path) -> TrainingCurve:
    """The learning curve of an experiment; without columns if it has none. Lines that were cut are left out."""
    path = exp / CURVE
    if not path.is_file():
        return TrainingCurve()
    with open_text(path) as stream:
        header, *lines = [line.rstrip("\n").split("\t") for line in stream] or [[""]]
    columns: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in header[1:]}
    for fields in lines:
        values = dict(zip(header, map(_number, fields), strict=False))
        step = values.get(header[0])
        if len(fields) != len(header) or step is None:
            continue
        for name, (steps, column) in columns.items():
            value = values[name]
            if value is not None:
                steps.append(step)
                column.append(value)
    return TrainingCurve(columns)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_stage_record(exp: Path) -> StageRecord:
    """Times and losses of the stages; empty if they were not recorded.

    Raises:
        InputError: the record is damaged.
    """
    path = exp / STAGE_RECORD
    if not path.is_file():
        return StageRecord()
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        times = tuple(StageTime(**each) for each in content["times"])
        return StageRecord(times, tuple(DroppedGroup(**each) for each in content["dropped"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({why(error)}); run stage 12 again") from error
