"""How fast minikaldi's commands are, what memory they hold and how both grow, beside what real Kaldi did and the goals.

    python3 benchmarks/minikaldi.py [--only features,backend,tables,start,growth] [--scale small] [--json out.json]
    python3 benchmarks/minikaldi.py --update docs/benchmarks.md

Each command is a process with one thread on seeded synthetic data in a private folder; processor seconds are user and
system time together. Where KALDI_ROOT names a built Kaldi, its commands are run in turns with minikaldi's, and the
ratio is theirs; else it is to Kaldi's figures of another machine, and says little about this one.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # this file's own folder would make it stand for the library of its name

from benchmarks.minikaldi_cases import backend, features, growth, start  # noqa: E402
from benchmarks.minikaldi_cases.measure import has_all  # noqa: E402
from benchmarks.minikaldi_cases.place import SCALES, Place, Row  # noqa: E402
from benchmarks.minikaldi_cases.report import Report  # noqa: E402
from common.doc_sections import replace_section  # noqa: E402
from minikaldi.commands import MODULES  # noqa: E402

ROW_PARTS: dict[str, Callable[[Place], Iterator[Row]]] = {
    "features": features.rows,
    "backend": backend.rows,
    "tables": start.table_rows,
    "start": start.rows,
}
PARTS = (*ROW_PARTS, "growth")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Time minikaldi's commands; the data are made anew in a temporary folder."
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: %(default)s)")
    parser.add_argument("--scale", choices=SCALES, default="full", help="how much data (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each command; the median counts (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the data (default: %(default)s)")
    parser.add_argument("--tmp", help="where the temporary folder is made; full scale needs 3 GB")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--update", metavar="FILE", help="put the Markdown into this file, in its section `speed`")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--only names {', '.join(sorted(unknown))}; choose among {', '.join(PARTS)}")
    if given.repeats < 1:
        parser.error(f"--repeats is {given.repeats}; expected 1 or more")
    return given


def kaldi_root() -> Path | None:
    """The real Kaldi to measure beside minikaldi.

    Raises:
        SystemExit: KALDI_ROOT has no command of Kaldi's.
    """
    if not os.environ.get("KALDI_ROOT"):
        return None
    kaldi = Path(os.environ["KALDI_ROOT"])
    if not any(has_all(kaldi, [name]) for name in MODULES):
        sys.exit(f"minikaldi.py: KALDI_ROOT is {kaldi}, but no command of Kaldi is there; build it, or unset it")
    return kaldi.resolve()


def main() -> None:
    """Measure, then print and write."""
    given = options()
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
    command = f"python3 benchmarks/minikaldi.py {shlex.join(sys.argv[1:])}".strip()
    report = Report(command, given.scale, given.repeats, rows, growths, str(kaldi or ""))
    print(report.markdown() if given.markdown else report.plain())
    if given.json:
        Path(given.json).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if given.update:
        replace_section(Path(given.update), "speed", report.markdown())


if __name__ == "__main__":
    main()
