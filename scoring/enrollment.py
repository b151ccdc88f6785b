"""The utterances of each enrolment model of a test set, as the lines of a spk2utt.

    python3 -m scoring.enrollment <data-dir> > <enroll2utt>

They are the lines `model utt1 utt2 …` of `<data-dir>/enroll2utt` if it exists. Otherwise each enrolment id of
`<data-dir>/trials` is an utterance and a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.program import Parser, run_program
from common.text_lines import numbered_fields
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import c_sorted
from scoring.trials import read_trials


def read_models(path: Path) -> dict[str, tuple[int, list[str]]]:
    """Model -> (its line number in an `enroll2utt`, its utterances).

    Raises:
        InputError: a line without an utterance, or a model that appears twice.
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
        InputError: a wrong line in `enroll2utt` or `trials`.
    """
    given = data_dir / "enroll2utt"
    if given.is_file() and given.stat().st_size:
        return [" ".join([model, *utt_ids]) for model, (_, utt_ids) in read_models(given).items()]
    pairs = read_trials(data_dir / "trials").pairs
    enroll_ids = [pairs.ids[number] for number in np.unique(pairs.enroll).tolist()]
    return [f"{enroll_id} {enroll_id}" for enroll_id in c_sorted(enroll_ids)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the enrolment list of a test set."""
    parser = Parser(prog="python3 -m scoring.enrollment", description="Print an enrolment list.")
    parser.add_argument("data_dir", metavar="data-dir", type=Path, help="data directory of the test set, with trials")
    write_stdout(enrollment_lines(parser.parse_args(argv).data_dir))
    return 0


if __name__ == "__main__":
    run_program(main)
