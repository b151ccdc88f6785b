"""Which utterances each enrolment model of a test set is the mean of, as the lines of a spk2utt.

    python3 -m scoring.enrollment <data-dir> > <enroll2utt>

`<data-dir>/enroll2utt` (lines `model utt1 utt2 …`) says so where it is there; else each enrolment id of
`<data-dir>/trials` is an utterance, and a model of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import run_program
from common.text_lines import numbered_fields
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import c_sorted
from scoring.trials import read_trials


def read_models(path: Path) -> dict[str, tuple[int, list[str]]]:
    """Model -> the number of its line in an `enroll2utt`, and its utterances.

    Raises:
        InputError: a line has no utterance, or a model comes twice.
    """
    models: dict[str, tuple[int, list[str]]] = {}
    for number, (model, *utt_ids) in numbered_fields(path, InputError):
        if not utt_ids:
            raise InputError(f"{path}:{number}: found {model!r}, expected `model utt1 utt2 …`")
        if model in models:
            first = models[model][0]
            raise InputError(f"{path}:{number}: model {model!r} is already on line {first}; keep one of them")
        models[model] = number, utt_ids
    return models


def enrollment_lines(data_dir: Path) -> list[str]:
    """The lines `model utt1 utt2 …` of a test set.

    Raises:
        InputError: a line of `enroll2utt` or `trials` does not belong there.
    """
    given = data_dir / "enroll2utt"
    if given.is_file() and given.stat().st_size:
        return [" ".join([model, *utt_ids]) for model, (_, utt_ids) in read_models(given).items()]
    enroll_ids = {enroll_id for enroll_id, _ in read_trials(data_dir / "trials").pairs}
    return [f"{enroll_id} {enroll_id}" for enroll_id in c_sorted(list(enroll_ids))]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the enrolment list of a test set."""
    parser = argparse.ArgumentParser(prog="python3 -m scoring.enrollment", description="Print an enrolment list.")
    parser.add_argument("data_dir", metavar="data-dir", type=Path, help="of the test set, with trials")
    write_stdout(enrollment_lines(parser.parse_args(argv).data_dir))
    return 0


if __name__ == "__main__":
    run_program(main)
