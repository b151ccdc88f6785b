"""What a training wrote about itself: its curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from common.text_files import open_text

CURVE = "curve.tsv"


@dataclass(frozen=True)
class TrainingCurve:
    """Column -> steps and values of those lines that have a value."""

    columns: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def of(self, column: str) -> tuple[list[float], list[float]]:
        """Steps and values of a column; empty if there is none."""
        return self.columns.get(column, ([], []))


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
