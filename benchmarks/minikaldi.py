"""Speed and memory of minikaldi's commands and their growth, compared with real Kaldi and the goals.

    python3 benchmarks/minikaldi.py [--only features,backend,tables,start,growth] [--scale small] [--json out.json]
    python3 benchmarks/minikaldi.py --update docs/benchmarks.md

Each command is a process with one thread on seeded synthetic data in a temporary folder; CPU seconds are user and
system time together. If KALDI_ROOT is a built Kaldi, its commands are run in turns with minikaldi's, and the ratio is
to them. Otherwise the ratio is to Kaldi's figures on another machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # with this file's folder first, `import minikaldi` would find this file

from benchmarks.minikaldi_cases import backend, features, growth, start  # noqa: E402
from benchmarks.minikaldi_cases.measure import has_all  # noqa: E402
from benchmarks.minikaldi_cases.place import SCALES, Place, Row  # noqa: E402
from benchmarks.minikaldi_cases.report import Report  # noqa: E402
from common.doc_sections import replace_section  # noqa: E402
from common.errors import InputError  # noqa: E402
from common.program import Parser, run_program  # noqa: E402
from minikaldi.commands import MODULES  # noqa: E402

ROW_PARTS: dict[str, Callable[[Place], Iterator[Row]]] = {
    "features": features.rows,
    "backend": backend.rows,
    "tables": start.table_rows,
    "start": start.rows,
}
PARTS = (*ROW_PARTS, "growth")


def options(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        description="Time minikaldi's commands on new data in a temporary folder."
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: %(default)s)")
    parser.add_argument("--scale", choices=SCALES, default="full", help="how much data (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each command; the median counts (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the data (default: %(default)s)")
    parser.add_argument("--tmp", help="folder for the temporary folder; full scale needs 3 GB")
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--update", metavar="FILE", help="put the Markdown into this file, in its section `speed`")
    given = parser.parse_args(argv)
    unknown = set(given.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--only names {', '.join(sorted(unknown))}; choose among {', '.join(PARTS)}")
    if given.repeats < 1:
        parser.error(f"--repeats is {given.repeats}; expected an integer >= 1")
    return given


def kaldi_root() -> Path | None:
    """The real Kaldi to compare with, if KALDI_ROOT is set.

    Raises:
        InputError: KALDI_ROOT has no command of Kaldi.
    """
    if not os.environ.get("KALDI_ROOT"):
        return None
    kaldi = Path(os.environ["KALDI_ROOT"])
    if not any(has_all(kaldi, [name]) for name in MODULES):
        raise InputError(f"KALDI_ROOT is {kaldi}, but no command of Kaldi is there; build it, or unset it")
    return kaldi.resolve()


def main(argv: Sequence[str]) -> None:
    """Measure, then print and write."""
    given = options(argv)
    kaldi = kaldi_root()
    parts = given.only.split(",")
    rows: list[Row] = []
    growths: list[growth.Growth] = []
    with tempfile.TemporaryDirectory(prefix="minikaldi-benchmark-", dir=given.tmp) as folder:
        place = Place(Path(folder), given.scale, given.repeats, given.seed, kaldi)
        for part, measure in ROW_PARTS.items():
            for row in measure(place) if part in parts else ():
                rows.append(row)
                beside = "" if row.kaldi_here is None else f" (Kaldi {row.kaldi_here:.3g})"
                print(f"{row.part}: {row.what}: {row.ours:.3g} {row.unit}{beside}", file=sys.stderr)
        for one in growth.growths(place) if "growth" in parts else ():
            growths.append(one)
            seconds = ", ".join(f"{usage.cpu:.2f} s" for usage in one.usages)
            print(f"growth: {one.case.what}: {seconds}", file=sys.stderr)
    command = f"python3 benchmarks/minikaldi.py {shlex.join(argv)}".strip()
    report = Report(command, given.scale, given.repeats, rows, growths, str(kaldi or ""))
    print(report.markdown() if given.markdown else report.plain())
    if given.json:
        Path(given.json).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if given.update:
        replace_section(Path(given.update), "speed", report.markdown())


if __name__ == "__main__":
    run_program(main)
