#!/usr/bin/env python3
"""Check that nothing of a test set is in the training set: such results would be too good.

    check_disjoint.py [options] data/train data/test [data/test2 ...]

These are errors, and --allow-leak allows each by name: speakers of both; copies of a training utterance in a test set,
by utt2uniq (by names alone, it is a warning); the same audio in both. The same audio under two ids of one directory is
reported, and with --drop-repeated taken out of it: all but the first, except those that the trials name. The table
`dropped` of the directory gets a line for each.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.leaks import LEAKS, leaks_named
from common.program import log_message, run_program
from local.copies_across import find_copies
from local.equal_audio import Heard, equal_audio
from local.program import first_of, new_parser
from local.repeated_audio import drop, repeated_in
from minikaldi.data_dir.tables import read_keys


class Checks:
    """The checks of one training set and its test sets; each reports what it finds.

    Args:
        train: data directory of the training set.
        tests: data directories of the test sets.
        allowed: names of `common.leaks.LEAKS`.

    Attributes:
        failed: whether an error was found.
    """

    def __init__(self, train: Path, tests: Sequence[Path], allowed: frozenset[str]) -> None:
        self._train, self._tests, self._allowed = train, tests, allowed
        self.failed = False

    def _report(self, leak: str, text: str, todo: str) -> None:
        if leak in self._allowed:
            log_message(f"{text}; allowed by --allow-leak {leak}")
            return
        log_message(f"{text}; {todo}, or results will flatter (--allow-leak {leak} allows it)")
        self.failed = True

    def speakers(self) -> None:
        """Speakers of the training set in a test set."""
        train = read_keys(self._train / "spk2utt")
        for test in self._tests:
            shared = sorted(train & read_keys(test / "spk2utt"))
            if shared:
                found = f"{len(shared)} speakers of {test} are in {self._train} too (first: {shared[0]})"
                self._report("shared-speakers", found, "take them out of the training tree")

    def copies(self) -> None:
        """Augmented copies on the other side."""
        for test in self._tests:
            found = find_copies(self._train, test)
            for copies, how in ((found.certain, "are"), (found.suggested, "look by their names like")):
                if not copies:
                    continue
                first = first_of([f"{utt_id} and {other}" for utt_id, other in copies.items()])
                text = f"{len(copies)} utterances of {test} {how} copies of the same source as one of {self._train}"
                if how == "are":
                    self._report("copies", f"{text}, by utt2uniq or their id ({first})", "keep copies on one side")
                elif "copies" not in self._allowed:
                    log_message(f"warning: {text} ({first}); a line `copy source` in utt2uniq would say for certain")

    def audio(self, drop_repeated: bool) -> None:
        """The same audio on both sides, or twice on one; what is twice on one is dropped if there is no error."""
        groups = equal_audio([self._train, *self._tests])
        for number, test in enumerate(self._tests, 1):
            across = [pair for group in groups for pair in _across(group, number)]
            if across:
                found = f"{len(across)} utterances of {test} have the same audio as one of {self._train}"
                pairs = [f"{one.utt_id} ({one.path}) and {other.utt_id} ({other.path})" for one, other in across]
                self._report("equal-audio", f"{found}: {first_of(pairs)}", "take them out of one of the two")
        if self.failed:
            return
        for number, directory in enumerate([self._train, *self._tests]):
            repeated = repeated_in(directory, [[one for one in group if one.side == number] for group in groups])
            if repeated.others_of and "repeated-audio" in self._allowed:
                log_message(f"{repeated}; allowed by --allow-leak repeated-audio")
            elif repeated.others_of and not drop_repeated:
                log_message(f"warning: {repeated}")
            elif repeated.others_of:
                drop(directory, repeated)
            if repeated.in_trials:
                kept = f"{len(repeated.in_trials)} utterances have the audio of another, and the trials need both"
                log_message(f"warning: {directory}: {kept}: {first_of(repeated.in_trials)}")


def _across(group: Sequence[Heard], test: int) -> list[tuple[Heard, Heard]]:
    """The utterances of a test set in a group, each with the first one of the training set, if it is in the group."""
    trained_on = [one for one in group if one.side == 0][:1]
    return [(one, other) for other in trained_on for one in group if one.side == test]


def allowed_leaks(text: str) -> frozenset[str]:
    """Names of leaks, between commas.

    Raises:
        ArgumentTypeError: a name is unknown.
    """
    try:
        return leaks_named(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def main(argv: Sequence[str]) -> int:
    """Report what the training set shares with the test sets; code 1 if it is an error."""
    parser = new_parser("check_disjoint.py", __doc__)
    listed = "; ".join(f"{name}: {sentence}" for name, sentence in LEAKS.items())
    parser.add_argument(
        "--allow-leak", type=allowed_leaks, default=frozenset(), metavar="NAMES", help=f"between commas: {listed}"
    )
    parser.add_argument("--drop-repeated", action="store_true", help="drop audio that a directory has twice")
    parser.add_argument("--names-only", action="store_true", help="read no audio")
    parser.add_argument("train", type=Path, help="data directory of the training set")
    parser.add_argument("tests", type=Path, nargs="+", help="data directories of the test sets")
    options = parser.parse_args(argv)
    checks = Checks(options.train, options.tests, options.allow_leak)
    checks.speakers()
    checks.copies()
    if not options.names_only:
        checks.audio(options.drop_repeated)
    return int(checks.failed)


if __name__ == "__main__":
    run_program(main)
