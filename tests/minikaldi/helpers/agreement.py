"""How far minikaldi's answers are from those of real Kaldi, command by command, over all golden cases.

    python3 tests/minikaldi/helpers/agreement.py [--json docs/reference/minikaldi-agreement.json]

Runs each case of tests/golden and, where it is there, of ../shared/golden-speech. A case counts for every command that
it calls; its differences count for a command only where no case calls that command alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from minikaldi.commands import MODULES  # noqa: E402
from tests.minikaldi.helpers.golden_files import SAMPLES, Entry, Tolerance, is_binary, read_binary_file, read_plda  # noqa: E402
from tests.minikaldi.test_golden import check_case, tolerance_of  # noqa: E402

SETS = {"synthetic": ROOT / "tests" / "golden", "speech": ROOT.parent / "shared" / "golden-speech"}
Pair = tuple[NDArray[Any], NDArray[Any], float]
_DECIMAL = re.compile(r"[-+]?\d*\.\d+(?:e[-+]?\d+)?")


@dataclass
class Agreement:
    """What some cases add up to."""

    synthetic: int = 0
    speech: int = 0
    passed: int = 0
    files: int = 0
    equal_files: int = 0
    values: int = 0
    within_tolerance: int = 0
    largest_difference: float = 0.0
    largest_relative: float = 0.0

    def add(self, other: Agreement) -> None:
        """Sums of counts, the larger of the differences."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, max(mine, theirs) if field.name.startswith("largest") else mine + theirs)


def commands_of(case: Path) -> set[str]:
    """The commands of minikaldi's that a case calls."""
    return set(re.findall(r"[\w.-]+", (case / "cmd").read_text())) & set(MODULES)


def cases() -> Iterator[tuple[str, Path]]:
    """(set, case) of every case; of the speech set those that the synthetic set has."""
    names = sorted(path.name for path in (SETS["synthetic"] / "cases").iterdir())
    for kind, golden in SETS.items():
        for name in names:
            if (golden / "cases" / name).is_dir():
                yield kind, golden / "cases" / name


def measure(kind: str, case: Path, env: dict[str, str]) -> Agreement:
    """Run one case and compare every file that Kaldi wrote, the standard output included."""
    found = Agreement(**{kind: 1})
    with tempfile.TemporaryDirectory() as folder:
        out, shown = Path(folder) / "out", Path(folder) / "stdout"
        out.mkdir()
        try:
            shown.write_text(check_case(case.parents[1], case.name, out, env))
            found.passed = 1
        except AssertionError as error:
            print(f"{kind} {case.name}: {error}", file=sys.stderr)
        kaldis = sorted((case / "out").iterdir()) if (case / "out").is_dir() else []
        both = [(out / theirs.name, theirs) for theirs in kaldis]
        if (case / "stdout").exists():
            both.append((shown, case / "stdout"))
        for ours, theirs in both:
            found.files += 1
            if ours.exists():
                found.equal_files += ours.read_bytes().replace(str(out).encode(), b"$OUT") == theirs.read_bytes()
                for pair in pairs(ours, theirs, case.name.startswith(("lda", "plda"))):
                    _count(found, pair, _tolerance(case.name, theirs))
    return found


def pairs(ours: Path, theirs: Path, free_sign: bool) -> Iterator[Pair]:
    """Arrays of the two files that belong together, of equal shapes, and the width of a quantisation step."""
    if "plda" in theirs.name:
        entries = zip(read_plda(ours), read_plda(theirs), strict=True)
    elif is_binary(theirs.read_bytes()):
        entries = zip(read_binary_file(ours), read_binary_file(theirs), strict=True)
    else:
        entries = zip(*_numbers(ours, theirs), strict=True)
    for mine, kaldis in entries:
        values = mine.values.astype(np.float64)
        if free_sign and values.ndim == 2:
            values = values * np.sign((values * kaldis.values).sum(axis=1, keepdims=True))
        yield values, kaldis.values.astype(np.float64), kaldis.step


def _numbers(ours: Path, theirs: Path) -> tuple[list[Entry], list[Entry]]:
    """The numbers of two text files with the same number of words, where one of them is not an integer."""
    words = list(zip(ours.read_text().split(), theirs.read_text().split(), strict=True))
    pairs = [pair for pair in words if any(map(_DECIMAL.fullmatch, pair))]
    values = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return [Entry("", "text", values[:, 0])], [Entry("", "text", values[:, 1])]


def _tolerance(name: str, theirs: Path) -> Tolerance:
    return SAMPLES if theirs.read_bytes()[:4] == b"RIFF" else tolerance_of(name)


def _count(found: Agreement, pair: Pair, tolerance: Tolerance) -> None:
    ours, kaldis, step = pair
    if not kaldis.size:
        return
    difference, scale = np.abs(ours - kaldis), float(np.abs(kaldis).max()) or 1.0
    allowed = step + tolerance.usual * (scale if tolerance.relative else 1.0)
    found.values += kaldis.size
    found.within_tolerance += int((difference <= allowed).sum())
    found.largest_difference = max(found.largest_difference, float(difference.max()))
    found.largest_relative = max(found.largest_relative, float(difference.max()) / scale)


def by_command(measured: list[tuple[set[str], Agreement]]) -> dict[str, Agreement]:
    """Counts of all cases that call a command; differences of those that call it alone, if there are any."""
    table = {}
    for command in sorted({name for names, _ in measured for name in names}):
        mine = [(names, found) for names, found in measured if command in names]
        alone = [found for names, found in mine if names == {command} and found.values]
        table[command] = Agreement()
        for found in alone or [found for _, found in mine]:
            table[command].add(found)
        table[command].synthetic = sum(found.synthetic for _, found in mine)
        table[command].speech = sum(found.speech for _, found in mine)
        table[command].passed = sum(found.passed for _, found in mine)
    return table


def environment() -> dict[str, str]:
    """Kaldi's names answer from minikaldi/bin."""
    env = {key: value for key, value in os.environ.items() if key != "KALDI_ROOT"}
    folders = [ROOT / "minikaldi" / "bin", ROOT / "utils", Path(sys.executable).parent]
    return {**env, "PATH": ":".join([*map(str, folders), env["PATH"]]), "LC_ALL": "C"}


def main() -> None:
    """Print one line a command; exit code 1 where a case fails."""
    parser = argparse.ArgumentParser(description="Compare minikaldi with real Kaldi's answers.")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, for docs/reference/minikaldi.md")
    given = parser.parse_args()
    logging.getLogger("minikaldi").setLevel(logging.ERROR)  # a case of a truncated wave is read again here
    env = environment()
    measured = [(commands_of(case), measure(kind, case, env)) for kind, case in cases()]
    table = by_command(measured)
    for command, found in table.items():
        print(f"{command}: {dataclasses.asdict(found)}")
    if given.json:
        figures = {command: dataclasses.asdict(found) for command, found in table.items()}
        Path(given.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    failed = sum(1 - found.passed for _, found in measured)
    print(f"{len(measured)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
