"""Check that the trials of data directories can be scored, before a network is trained.

    python3 -m scoring.check_trials <data-dir>...

There must be target and nontarget trials, each trial once, of utterances or models that the directory has, and the
labels must agree with utt2spk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.program import Parser, run_program
from common.trial_faults import Row, balance_fault, trial_fault
from scoring.trial_sets import read_trial_set


def check_trials(data_dir: Path) -> None:
    """Check the trials of a data directory.

    Raises:
        InputError: a fault of the list; the text names it.
        OSError: `trials` or `utt2spk` cannot be read.
    """
    path = data_dir / "trials"
    if not path.is_file():
        todo = "stage 0 makes it (--trials: of your own list)"
        raise InputError(f"{path}: no such file; expected lines `enroll test target|nontarget`; {todo}")
    trial_set = read_trial_set(data_dir.name, data_dir)
    trials, speaker_of = trial_set.trials, trial_set.speaker_of
    pairs = trials.pairs
    unknown = [trial_id for trial_id in pairs.ids if trial_id not in speaker_of]
    if unknown:
        first = next(trial_id for pair in pairs for trial_id in pair if trial_id not in speaker_of)
        raise InputError(f"{path}: {len(unknown)} ids are not in {data_dir}/utt2spk (first: {first}); fix the list")
    fault = balance_fault(trials.num_targets, trials.num_nontargets)
    speakers = {speaker: number for number, speaker in enumerate(set(speaker_of.values()))}
    speaker = np.array([speakers[speaker_of[trial_id]] for trial_id in pairs.ids])
    if not fault and ((speaker[pairs.enroll] == speaker[pairs.test]) != trials.is_target).any():
        labelled = enumerate(zip(pairs, trials.is_target, strict=True), 1)
        rows = (Row(f"trial {number}", *pair, bool(label)) for number, (pair, label) in labelled)
        fault = trial_fault(rows, speaker_of)
    if fault:
        raise InputError(f"{path}: {fault}")


def main(argv: Sequence[str] | None = None) -> int:
    """Check the trials of some test sets."""
    about = "Check that the trials of data directories can be scored."
    parser = Parser(prog="python3 -m scoring.check_trials", description=about)
    parser.add_argument("data_dirs", metavar="data-dir", nargs="+", type=Path)
    for data_dir in parser.parse_args(argv).data_dirs:
        check_trials(data_dir)
    return 0


if __name__ == "__main__":
    run_program(main)
