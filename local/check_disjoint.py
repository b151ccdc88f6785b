#!/usr/bin/env python3
"""Say which speakers of the training set are also in a test set: such a test flatters. They are an error.

    check_disjoint.py data/train data/test [data/test2 ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from minikaldi.data_dir.tables import read_keys


def speakers(directory: str) -> set[str]:
    """The speaker ids of a data directory."""
    return read_keys(Path(directory) / "spk2utt")


def main() -> int:
    """Name the test sets that share speakers with the training set; code 1 if one does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("tests", nargs="+")
    arguments = parser.parse_args()
    train, failed = speakers(arguments.train), False
    for test in arguments.tests:
        common = sorted(train & speakers(test))
        if common:
            print(
                f"check_disjoint.py: {len(common)} speakers of {test} are in {arguments.train} too "
                f"(first: {common[0]}); take them out of the training tree, or results will flatter",
                file=sys.stderr,
            )
            failed = True
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"check_disjoint.py: {error}")
