"""What is wrong with the input by its names and numbers alone is an error before anything is read or run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from recipe.command_line import as_given
from recipe.options import SOURCES, flag_of
from recipe.plan import RunPlan


class RefusedInputError(InputError):
    """A program has refused the input and printed the reason; there is nothing to add."""

    def __init__(self) -> None:
        super().__init__("")


def check_input(plan: RunPlan) -> None:
    """Before stage 0: the files, roots and trial list; before a later stage: data directories of the user's own.

    Raises:
        InputError: a file or folder does not exist.
        RefusedInputError: a program has refused them, and printed why.
    """
    if plan.first_stage == 0:
        _check_sources(plan)
        _check_own_directories(plan)
        if plan.options.corpus == "folder":
            _check_roots(plan)
    elif plan.options.trust_earlier and not plan.dry_run:
        _check_own_data(plan)


def _check_sources(plan: RunPlan) -> None:
    for name in SOURCES:
        path = vars(plan.options)[name]
        if path is None:
            continue
        if name.endswith("_root") and not Path(path).is_dir():
            raise InputError(f"{flag_of(name)} is {path}, which is not a folder")
        if not name.endswith("_root") and not Path(path).is_file():
            raise InputError(f"{flag_of(name)} is {path}, which is not a file")


def _check_own_directories(plan: RunPlan) -> None:
    """Stage 0 replaces its outputs: data directories that a user made must not be among them."""
    if plan.options.force or Path(plan.data, ".stages").is_dir():  # the recipe has been at work here
        return
    for name in plan.sets:
        folder = Path(plan.data, name)
        if (folder / "utt2spk").exists():
            raise InputError(
                f"{folder} is a data directory that this recipe did not make, and stage 0 would replace it; add "
                f"--stage 1 --trust-earlier to use it, give another --name, or add --force to replace it"
            )


def _check_roots(plan: RunPlan) -> None:
    options = plan.options
    roots = [("--train-root", root) for root in options.train_root] + [("--test-root", r) for r in options.test_root]
    trials = [] if options.trials is None else [("--trials", options.trials)]
    _run(["local/check_roots.py", *(word for pair in (*roots, *trials) for word in pair)])


def _check_own_data(plan: RunPlan) -> None:
    """The trials are needed from stage 9 on; before, they are checked if they exist."""
    folders = [f"{plan.data}/{test}" for test in plan.tests]
    folders = [folder for folder in folders if plan.last_stage >= 9 or Path(folder, "trials").exists()]
    if not folders:
        return
    _run(["-m", "scoring.check_trials", *folders])
    if Path(plan.data, "train", "spk2utt").exists():
        allowed = [] if plan.options.allow_leak is None else ["--allow-leak", plan.options.allow_leak]
        quick = [] if plan.first_stage <= 5 <= plan.last_stage else ["--names-only"]  # audio is read before training
        _run(["local/check_disjoint.py", *allowed, *quick, f"{plan.data}/train", *folders])


def check_usable_speakers(plan: RunPlan) -> None:
    """After stage 0: what stage 5 would refuse by the number and length of the utterances.

    Raises:
        RefusedInputError: there are too few.
    """
    train = Path(plan.data, "train")
    if not plan.first_stage <= 5 <= plan.last_stage or plan.passed_over or not (train / "utt2spk").exists():
        return
    copies = 4 if plan.augment == "ondisk" and plan.num_augmented != "0" else 0  # of an utterance, at most
    facts = {
        "--min-utts": plan.options.min_utts,
        "--min-frames": plan.min_frames,
        "--frame-rate": plan.frame_rate,
        "--copies": copies,
        "--valid-share": plan.options.valid_share,
    }
    words = [word for flag, value in facts.items() for word in (flag, as_given(value))]
    _run(["local/check_speakers.py", *words, str(train)])


def _run(words: Sequence[str]) -> None:
    sys.stdout.flush()
    if subprocess.run([sys.executable, *words], check=False).returncode:
        raise RefusedInputError()
