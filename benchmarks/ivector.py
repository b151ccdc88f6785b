"""Speed and memory of the commands for i-vectors, compared with real Kaldi, the goals and plain matrix products.

    python3 benchmarks/ivector.py [--only mixtures,extractor] [--scale small] [--json out.json]
    python3 benchmarks/ivector.py --update docs/benchmarks.md

Each command is a process with one thread on seeded synthetic data in a temporary folder; CPU seconds are user and
system time together. If KALDI_ROOT is a built Kaldi, its commands are run in turns with minikaldi's, and the ratio is
to them. Otherwise the ratio is to Kaldi's figures on another machine, with AVX2 but without AVX-512.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks.ivector_cases import extractor, mixtures  # noqa: E402
from benchmarks.minikaldi import kaldi_root  # noqa: E402
from benchmarks.minikaldi_cases.place import SCALES, Place, Row  # noqa: E402
from benchmarks.minikaldi_cases.report import Report  # noqa: E402
from common.doc_sections import replace_section  # noqa: E402
from common.program import Parser, run_program  # noqa: E402

PARTS: dict[str, Callable[[Place], Iterator[Row]]] = {"mixtures": mixtures.rows, "extractor": extractor.rows}
KALDI_NOTE = "Kaldi's figures in the column `Kaldi, another machine` are of a machine with AVX2."


def options(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(description="Time the commands for i-vectors on new data in a temporary folder.")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: %(default)s)")
    parser.add_argument("--scale", choices=SCALES, default="full", help="how much data (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each command; the median counts (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the data (default: %(default)s)")
    parser.add_argument("--tmp", help="folder for the temporary folder; full scale needs 5 GB")
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--update", metavar="FILE", help="put the Markdown into this file, in its section `ivector`")
    given = parser.parse_args(argv)
    unknown = set(given.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--only names {', '.join(sorted(unknown))}; choose among {', '.join(PARTS)}")
    if given.repeats < 1:
        parser.error(f"--repeats is {given.repeats}; expected an integer >= 1")
    return given


def main(argv: Sequence[str]) -> None:
    """Measure, then print and write."""
    given = options(argv)
    kaldi = kaldi_root()
    measured: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ivector-benchmark-", dir=given.tmp) as folder:
        place = Place(Path(folder), given.scale, given.repeats, given.seed, kaldi)
        for part in given.only.split(","):
            for row in PARTS[part](place):
                measured.append(row)
                beside = "" if row.kaldi_here is None else f" (Kaldi {row.kaldi_here:.3g})"
                print(f"{row.part}: {row.what}: {row.ours:.3g} {row.unit}{beside}", file=sys.stderr)
    command = f"python3 benchmarks/ivector.py {shlex.join(argv)}".strip()
    report = Report(command, given.scale, given.repeats, measured, [], str(kaldi or ""))
    print(report.markdown() if given.markdown else report.plain(), KALDI_NOTE, sep="\n\n")
    if given.json:
        Path(given.json).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if given.update:
        replace_section(Path(given.update), "ivector", f"{report.markdown()}\n\n{KALDI_NOTE}")


if __name__ == "__main__":
    run_program(main)
