"""Before training: an interrupted one may only be resumed on the features and lists that it began with.

python3 -m recipe.training_inputs exp/mini-mini data/mini/fbank/lists_online
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message, run_program
from recipe.markers import reason_to_run, write_marker

BEGUN = ".stages/training_begun.json"


def note_training_inputs(exp: Path, lists: str) -> None:
    """Write down what a training reads.

    Raises:
        InputError: the experiment has a training of something else, or a damaged note of what it began with.
    """
    note = exp / BEGUN
    try:
        why = reason_to_run(note, {}, [lists], [])
        found = f"was trained on other features or lists ({why})"
    except InputError:
        why = f"{note} is damaged"
        found = f"may be trained on other features or lists: {why}"
        if not (exp / "last.pt").exists():
            log_message(f"{why}, and is written again")
    if why and (exp / "last.pt").exists():
        way_out = "give another --exp, or remove last.pt and best.pt there to start again"
        raise InputError(f"{exp}/last.pt {found}; {way_out}")
    write_marker(note, {}, [lists], [])


def main(argv: Sequence[str]) -> None:
    """The program."""
    parser = Parser("python3 -m recipe.training_inputs EXP LISTS", __doc__ or "")
    parser.add_argument("exp", type=Path, help="the experiment")
    parser.add_argument("lists", help="the training lists")
    arguments = parser.parse(argv)
    note_training_inputs(arguments.exp, arguments.lists)


if __name__ == "__main__":
    run_program(main)
