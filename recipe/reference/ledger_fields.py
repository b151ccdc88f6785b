"""The fields of the ledger of results, from the declarations in scoring/ledger_record.py."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from common.options import describe, range_of, sentence_of
from recipe.reference.markdown import table_text
from scoring.ledger_record import Figure, LedgerRecord, MachineFacts, StageCost


def ledger_text() -> str:
    """A table of the fields of a line, and of each mapping in it."""
    parts = {"A line": LedgerRecord, "A figure": Figure, "`machine`": MachineFacts, "An item of `stages`": StageCost}
    return "\n\n".join(f"### {title}\n\n{_fields_text(kind)}" for title, kind in parts.items())


def _fields_text(kind: type[Any]) -> str:
    hints = typing.get_type_hints(kind)
    rows = [
        [f"`{field.name}`", describe(hints[field.name], range_of(field)), sentence_of(field)]
        for field in dataclasses.fields(kind)
    ]
    return table_text(["field", "value", "meaning"], rows)
