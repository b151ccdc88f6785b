#!/usr/bin/env python3
"""Check the trees of a folder corpus and its trial list, within a second, before stage 0 reads them.

    check_roots.py --train-root A [--train-root B] --test-root E [--test-root F] [--trials LIST]

The trees must be folders of speakers, no test speaker may be in the training set, and the trial list must have target
and nontarget trials, each once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import run_program
from common.trial_faults import balance_fault
from common.trial_forms import EITHER_FORM
from local.audio_files import is_named_audio
from local.program import first_of, new_parser, printable
from local.trials import read_distinct_trials
from local.walk import has_name_of_others

EXPECTED = "expected <root>/<speaker>/**/<audio>"
MAX_SETS = 10  # of a corpus; if more folders have such names, they are speakers
_SET_NAME = re.compile(
    "(?:.*[-_. ])?(train|training|dev|devel|development|valid|validation|val|eval|evaluation|test|testing|enrol|enroll"
    "|enrol?lment|speakers|spks)"
    "([-_. ].*|[0-9]*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"([^\W\d_]+[-_. ]?)\d+")


def speaker_folders(root: Path, option: str) -> list[str]:
    """The names of the folders in a root.

    Args:
        root: the tree.
        option: the option that gave it, for messages.

    Raises:
        InputError: it is not a folder, or cannot be listed.
    """
    if not root.is_dir():
        raise InputError(f"{option} is {root}, which is not a folder; {EXPECTED}")
    try:
        with os.scandir(root) as entries:
            folders = [entry.name for entry in entries if not has_name_of_others(entry.name) and _is_dir(entry)]
    except OSError as error:
        raise InputError(f"{option} {root} cannot be listed: {error.strerror}") from error
    return sorted(folders)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def has_file(folder: Path) -> bool:
    """Whether there is a file below a folder."""
    seen: set[str] = set()
    for path, folders, names in os.walk(folder, followlinks=True):
        if any(not has_name_of_others(name) for name in names):
            return True
        real = os.path.realpath(path)
        folders[:] = [] if real in seen else folders
        seen.add(real)
    return False


def check_level(root: Path, folders: Sequence[str], option: str) -> None:
    """Refuse a root that is one level too high: its folders are training and test sets with folders of speakers.

    Args:
        root: the tree.
        folders: names of the folders in it.
        option: the option that gave it, for messages.

    Raises:
        InputError: the root is one level too high.
    """
    named = [name for name in folders if _SET_NAME.fullmatch(name)]
    if len(named) < min(2, len(folders)) or len(named) > MAX_SETS or are_numbered(named):
        return
    held = [(name, what_it_holds(root / name)) for name in named]
    sets = [name for name, (has_audio, has_folder) in held if has_folder and not has_audio]
    if sets and (len(folders) == 1 or sum(not has_audio for _, (has_audio, _) in held) >= 2):
        raise InputError(
            f"{option} {root} is a level too high: its folders {first_of(sets)} are sets, not speakers; {EXPECTED}, as"
            f" {option} {root / sets[0]}"
        )


def are_numbered(names: Sequence[str]) -> bool:
    """Whether names are one word with different numbers, like speakers' (`test01 test02`, `dev_001 dev_002`).

    Names of sets have more words (`train-clean-100 train-clean-360`).
    """
    matches = [_NUMBERED.fullmatch(name) for name in names]
    return all(matches) and len({match[1] for match in matches if match}) == 1


def what_it_holds(folder: Path) -> tuple[bool, bool]:
    """Whether a folder has audio, and whether it has a folder, directly in it; (True, True) if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            found = [(_is_dir(entry), is_named_audio(entry.name)) for entry in entries]
    except OSError:
        return True, True
    return any(is_audio and not is_dir for is_dir, is_audio in found), any(is_dir for is_dir, _ in found)


def check_number(roots: Sequence[Path], speakers: Sequence[tuple[Path, str]], option: str) -> None:
    """Refuse fewer than two speakers.

    Raises:
        InputError: there are fewer folders with files.
    """
    first: list[str] = []
    for root, name in speakers:
        if name not in first and has_file(root / name):
            first.append(name)
        if len(first) == 2:
            return
    found = f"one speaker's folder, {printable(first[0])}" if first else "no speaker's folder with a file"
    raise InputError(
        f"{option} {' and '.join(map(str, roots))}: found {found}; {EXPECTED}, of two speakers at least (is it a level"
        " too high or too low?)"
    )


def check_apart(train: Sequence[Path], tests: Sequence[Path]) -> None:
    """Refuse roots that are the same folder or inside one another.

    Args:
        train: training roots.
        tests: test roots.

    Raises:
        InputError: the text names the two.
    """
    given = [("--train-root", root) for root in train] + [("--test-root", root) for root in tests]
    for (option, root), (other_option, other) in combinations(given, 2):
        real, other_real = Path(os.path.realpath(root)), Path(os.path.realpath(other))
        if real == other_real:
            raise InputError(f"{option} {root} and {other_option} {other} are the same folder; give different ones")
        if real in other_real.parents or other_real in real.parents:
            inner, outer = (other, root) if real in other_real.parents else (root, other)
            if option == other_option:
                twice = "its files would be taken twice; give one"
                raise InputError(f"{option} {inner} lies in {option} {outer}: {twice}")
            why = "test speech must not be trained on"
            raise InputError(f"{inner} lies in {outer}, and is given as another set; {why}")


def check_speakers_apart(train: Sequence[tuple[Path, str]], tests: Sequence[tuple[Path, str]]) -> None:
    """Refuse speakers with files in both a training and a test root.

    Args:
        train: (root, speaker) of the training roots.
        tests: (root, speaker) of the test roots.

    Raises:
        InputError: there are such speakers; the text has their number and the first.
    """
    roots = {name: root for root, name in train}
    twice = [(root, name) for root, name in tests if name in roots]
    common = [(root, name) for root, name in twice if has_file(root / name) and has_file(roots[name] / name)]
    if common:
        root, name = common[0]
        raise InputError(
            f"{len(common)} speakers of {root} are in {roots[name]} too (first: {printable(name)}); take them out of"
            " the training tree, or results will flatter"
        )


def check_trial_list(path: Path) -> None:
    """Refuse a list that gives no error rate.

    Raises:
        InputError: no such file, a wrong line, a repeated trial, no target or no nontarget trial.
    """
    if not path.is_file():
        raise InputError(f"--trials is {path}, which is not a file; expected lines {EITHER_FORM}")
    labels = [trial.is_target for trial in read_distinct_trials(path)]
    fault = balance_fault(labels.count(True), labels.count(False))
    if fault:
        raise InputError(f"{path}: {fault}")


def main(argv: Sequence[str]) -> None:
    """Command line of local/check_roots.py."""
    parser = new_parser("check_roots.py", __doc__)
    for name in ("train", "test"):
        parser.add_argument(f"--{name}-root", type=Path, action="append", default=[], help=f"a tree to {name} on")
    parser.add_argument("--trials", type=Path, help="the trial list")
    options = parser.parse_args(argv)
    found: dict[str, list[tuple[Path, str]]] = {"--train-root": [], "--test-root": []}
    for option, roots in (("--train-root", options.train_root), ("--test-root", options.test_root)):
        for root in roots:
            folders = speaker_folders(root, option)
            check_level(root, folders, option)
            found[option] += [(root, name) for name in folders]
    check_apart(options.train_root, options.test_root)
    if options.train_root:
        check_number(options.train_root, found["--train-root"], "--train-root")
    for root in options.test_root:
        check_number([root], [one for one in found["--test-root"] if one[0] == root], "--test-root")
    check_speakers_apart(found["--train-root"], found["--test-root"])
    if options.trials:
        check_trial_list(options.trials)


if __name__ == "__main__":
    run_program(main)
