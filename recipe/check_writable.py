"""check_writable.py: whether a directory that a run writes to, or will make, can be written to; it leaves nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser

USAGE = "check_writable.py OPTION DIR [OPTION DIR ...]   e.g.: check_writable.py --data data/mini --exp exp/mini"
ABOUT = "Exit code 1, and one line that names the option, if nothing can be written to a directory."
SOME_BYTES = bytes(1 << 12)  # a full disk may take an empty file


def require_writable(option: str, folder: Path) -> None:
    """Write something and remove it, in the directory or in the nearest one above it that exists.

    Raises:
        InputError: it cannot be written to.
    """
    mend = f"give another {option}, or mend that"
    place = folder
    try:
        while not place.exists() and not place.is_symlink() and place != place.parent:
            place = place.parent
        is_directory = place.is_dir()
    except OSError as error:  # Python 3.11 raises if a folder above may not be entered
        raise InputError(f"{option} is {folder}: {place} cannot be looked at: {error.strerror}; {mend}") from error
    if not is_directory:
        found = "a link that leads nowhere" if place.is_symlink() else "not a directory"
        raise InputError(f"{option} is {folder}: {place} is {found}; {mend}")
    for inner in (place, folder / ".stages"):
        try:
            if inner.is_dir():
                with tempfile.TemporaryFile(dir=inner) as stream:
                    stream.write(SOME_BYTES)
                tempfile.TemporaryDirectory(dir=inner).cleanup()
        except OSError as error:
            why = f"{inner} cannot be written to: {error.strerror}"
            raise InputError(f"{option} is {folder}: {why}; {mend}") from error


def main(argv: Sequence[str]) -> int:
    """Command line of utils/check_writable.py."""
    if len(argv) % 2 or not argv or not all(word.startswith("--") for word in argv[::2]) or argv[0] == "--help":
        parser = Parser(USAGE, ABOUT)
        parser.parse(argv if argv[:1] in (["-h"], ["--help"]) else [])
        parser.error("expected pairs of an option and a directory")
    for option, folder in zip(argv[::2], argv[1::2], strict=True):
        require_writable(option, Path(folder))
    return 0
