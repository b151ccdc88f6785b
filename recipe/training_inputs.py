"""Before training: an interrupted one may only be resumed on the features and lists that it began with.

    python3 -m recipe.training_inputs exp/mini-mini data/mini/fbank/lists_online
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, run_program
from recipe.markers import reason_to_run, write_marker

BEGUN = ".stages/training_begun.json"


def note_training_inputs(exp: Path, lists: str) -> None:
    """Write down what a training reads.

    Raises:
        InputError: there is a training of something else in the experiment.
    """
    why = reason_to_run(exp / BEGUN, {}, [lists], [])
    if why and (exp / "last.pt").exists():
        raise InputError(
            f"{exp}/last.pt was trained on other features or lists ({why}); give another --exp, or remove last.pt and"
            " best.pt there to start again"
        )
    write_marker(exp / BEGUN, {}, [lists], [])


def main(argv: Sequence[str]) -> None:
    """The program."""
    parser = Parser("python3 -m recipe.training_inputs EXP LISTS", __doc__ or "")
    parser.add_argument("exp", type=Path, help="the experiment")
    parser.add_argument("lists", help="the training lists")
    arguments = parser.parse(argv)
    note_training_inputs(arguments.exp, arguments.lists)


if __name__ == "__main__":
    run_program(main)
