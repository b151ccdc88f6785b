#!/usr/bin/env python3
"""Check that no speaker of the training set is in a test set: such results would be too good.

    check_disjoint.py data/train data/test [data/test2 ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.program import log_message, run_program
from local.program import new_parser
from minikaldi.data_dir.tables import read_keys


def main(argv: Sequence[str]) -> int:
    """Report the test sets that share speakers with the training set; code 1 if there is one."""
    parser = new_parser("check_disjoint.py", __doc__)
    parser.add_argument("train", type=Path, help="data directory of the training set")
    parser.add_argument("tests", type=Path, nargs="+", help="data directories of the test sets")
    options = parser.parse_args(argv)
    train, failed = read_keys(options.train / "spk2utt"), False
    for test in options.tests:
        shared = sorted(train & read_keys(test / "spk2utt"))
        if shared:
            log_message(
                f"{len(shared)} speakers of {test} are in {options.train} too (first: {shared[0]}); take them out of"
                " the training tree, or results will flatter"
            )
            failed = True
    return int(failed)


if __name__ == "__main__":
    run_program(main)
