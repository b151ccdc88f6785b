"""The tables of docs/reference/minikaldi.md: how each command is called, where it differs from Kaldi, how it agrees.

    python3 -m minikaldi.command_table [--update docs/reference/minikaldi.md]

The first table comes from the commands' declarations and the paragraph `Differs from Kaldi:` of their modules'
docstrings, the figures from docs/reference/minikaldi-agreement.json, which tests/minikaldi/helpers/agreement.py writes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.doc_sections import replace_section
from common.program import Parser, run_program
from minikaldi.commands import MODULES, load_command
from minikaldi.options import option_specs

ROOT = Path(__file__).resolve().parents[1]
AGREEMENT = ROOT / "docs" / "reference" / "minikaldi-agreement.json"
DIFFERS = "Differs from Kaldi:"
COMMAND_TITLES = ("command", "Kaldi's source", "arguments", "options", "golden cases", "largest difference")
AGREEMENT_TITLES = (
    *("command", "cases: synthetic", "speech", "passed", "files", "of equal bytes", "numbers", "within tolerance"),
    *("largest difference", "over the largest magnitude"),
)


@dataclass(frozen=True)
class Agreement:
    """The sums over the golden cases that call a command; tests/minikaldi/helpers/agreement.py computes them.

    Attributes:
        synthetic: cases with synthetic input.
        speech: cases with speech.
        passed: cases that passed.
        files: output files compared.
        equal_files: files of equal bytes.
        values: numbers compared.
        within_tolerance: numbers within the tolerance of their case.
        largest_difference: largest absolute difference.
        largest_relative: largest difference over the largest magnitude of its array.
    """

    synthetic: int
    speech: int
    passed: int
    files: int
    equal_files: int
    values: int
    within_tolerance: int
    largest_difference: float
    largest_relative: float

    @property
    def cases(self) -> int:
        """All of them."""
        return self.synthetic + self.speech

    def shown_share(self) -> str:
        """The share of the numbers within their tolerance; never rounded up to all."""
        if not self.values:
            return ""
        if self.within_tolerance == self.values:
            return "all"
        return f"{math.floor(1e5 * self.within_tolerance / self.values) / 1e3:.3f} %"

    def shown_difference(self) -> str:
        """The largest difference, and in brackets over the largest magnitude of its array."""
        if self.files == self.equal_files:
            return "equal bytes" if self.files else ""
        return f"{_power(self.largest_difference)} ({_power(self.largest_relative)})"


def kaldi_source_of(name: str) -> str:
    """Kaldi's file for this command, `featbin/copy-feats.cc`; "" for a program that Kaldi lacks."""
    if name.endswith(".py"):
        return ""
    folder = MODULES[name].split(".")[1]
    return f"{'bin' if folder == 'basebin' else folder}/{name}.cc"


def difference_of(name: str) -> str:
    """The paragraph of the module's docstring after `Differs from Kaldi:`, in one line; "" if it has none."""
    doc = inspect.getdoc(importlib.import_module(MODULES[name])) or ""
    _, found, rest = doc.partition(DIFFERS)
    return " ".join(rest.split("\n\n")[0].split()) if found else ""


def forms_of(name: str) -> list[str]:
    """The arguments of each way to call it, without its name and the word [options]."""
    forms = re.split(r"\s+or: ", f"{name} {load_command(name).usage}")
    return [" ".join(word for word in form.split()[1:] if not word.startswith("[options")) for form in forms]


def command_table(agreement: dict[str, Agreement]) -> str:
    """A Markdown table with one row for each command."""
    lines = [[*COMMAND_TITLES]]
    for name in sorted(MODULES):
        found = agreement.get(name)
        lines.append([f"`{name}`", kaldi_source_of(name) or "none"])
        lines[-1] += [
            "<br>or ".join(f"`{form}`" for form in forms_of(name)),
            str(len(option_specs(load_command(name).options))),
        ]
        lines[-1] += [f"{found.passed} of {found.cases}", found.shown_difference()] if found else ["none", ""]
    return _markdown(lines)


def agreement_table(agreement: dict[str, Agreement]) -> str:
    """A Markdown table with one row for each command that a case calls."""
    lines = [[*AGREEMENT_TITLES]]
    for name, found in sorted(agreement.items()):
        counts = (found.synthetic, found.speech, found.passed, found.files, found.equal_files, found.values)
        worst = [_power(found.largest_difference), _power(found.largest_relative)] if found.values else ["", ""]
        lines.append([f"`{name}`", *(f"{count:,}" for count in counts), found.shown_share(), *worst])
    return _markdown(lines)


def _power(figure: float) -> str:
    return f"{figure:.1e}" if figure else "0"


def _markdown(lines: list[list[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)


def read_agreement(path: Path = AGREEMENT) -> dict[str, Agreement]:
    """The stored figures by command."""
    figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: Agreement(**values) for name, values in figures.items()}


def sections() -> dict[str, str]:
    """The text of each generated section of docs/reference/minikaldi.md."""
    agreement = read_agreement()
    return {"commands": command_table(agreement), "agreement": agreement_table(agreement)}


def main(argv: Sequence[str]) -> int:
    """Print the tables, or write them into a file."""
    parser = Parser(description="Write the tables of commands of docs/reference/minikaldi.md.")
    parser.add_argument("--update", metavar="FILE", help="write them into this file, between their markers")
    given = parser.parse_args(argv)
    for name, text in sections().items():
        if given.update:
            replace_section(Path(given.update), name, text)
        else:
            print(f"{text}\n")
    return 0


if __name__ == "__main__":
    run_program(main)
