"""Which parts of docs/reference are generated, and by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from common.doc_sections import replace_section, section
from recipe.reference import ledger_fields, minikaldi_commands, pipeline_options, stage_table, yaml_keys

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


class GeneratedPart(NamedTuple):
    """A generated part of a page.

    Attributes:
        page: file name below docs/reference.
        section: name in the two comments around the part.
        text: makes the Markdown.
    """

    page: str
    section: str
    text: Callable[[], str]


GENERATED_PARTS = (
    GeneratedPart("stages.md", "stages", stage_table.stages_text),
    GeneratedPart("pipeline-options.md", "options", pipeline_options.pipeline_options_text),
    GeneratedPart("yaml-keys.md", "keys", yaml_keys.keys_text),
    GeneratedPart("ledger.md", "fields", ledger_fields.ledger_text),
    GeneratedPart("minikaldi.md", "commands", minikaldi_commands.commands_text),
    GeneratedPart("minikaldi.md", "differences", minikaldi_commands.differences_text),
    GeneratedPart("minikaldi.md", "agreement", minikaldi_commands.agreement_text),
    GeneratedPart("minikaldi-options.md", "options", minikaldi_commands.options_text),
)


def outdated_parts(folder: Path = REFERENCE) -> list[GeneratedPart]:
    """The parts whose pages differ from what the code declares.

    Args:
        folder: holds the pages.

    Raises:
        KaldiError: a page lacks the two comments of a part.
    """
    return [part for part in GENERATED_PARTS if section(folder / part.page, part.section) != part.text().strip()]


def write_parts(parts: Sequence[GeneratedPart], folder: Path = REFERENCE) -> None:
    """Write `parts` into their pages; the text around them stays as it is."""
    for part in parts:
        replace_section(folder / part.page, part.section, part.text())
