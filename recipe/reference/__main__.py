"""`python3 -m recipe.reference`: check or write the generated parts of docs/reference."""

from __future__ import annotations

from collections.abc import Sequence

from common.program import Parser, run_program
from recipe.reference.pages import outdated_parts, write_parts


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the pages, or write them.

    Args:
        arguments: the command line without the program's name.

    Returns:
        The exit code: 1 if a page is out of date and `--write` is not given.
    """
    parser = Parser(prog="python3 -m recipe.reference", description=__doc__)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="print the parts that are out of date (the default)")
    way.add_argument("--write", action="store_true", help="write these parts again")
    given = parser.parse_args(arguments)
    outdated = outdated_parts()
    if given.write:
        write_parts(outdated)
    for part in outdated:
        state = "written" if given.write else "out of date; run python3 -m recipe.reference --write"
        print(f"{part.page}: section {part.section}: {state}")
    return 1 if outdated and not given.write else 0


if __name__ == "__main__":
    run_program(main)
