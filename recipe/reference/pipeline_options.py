"""The options of ./pipeline.sh, from their declarations in recipe/options.py."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from common.options import describe, range_of, sentence_of
from recipe.command_line import as_given
from recipe.options import OPTIONS, PipelineOptions, flag_of
from recipe.reference.markdown import table_text


def pipeline_options_text() -> str:
    """One row per option, in the order of `--help`."""
    hints = typing.get_type_hints(PipelineOptions)
    rows = [_row(field, hints[field.name]) for field in OPTIONS.values()]
    return table_text(["option", "value", "default", "meaning"], rows)


def _row(field: dataclasses.Field[Any], kind: Any) -> list[str]:
    value = describe(kind, range_of(field)).replace(" or null", "")
    return [f"`{flag_of(field.name)}`", value, f"`{as_given(field.default) or '-'}`", sentence_of(field)]
