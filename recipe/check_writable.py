"""Whether a directory that a run writes to, or will make, can be written to. The check leaves nothing there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from common.errors import InputError

SOME_BYTES = bytes(1 << 12)  # a full disk may take an empty file


def require_writable(option: str, folder: Path) -> None:
    """Write something and remove it, in the directory or in the nearest one above it that exists.

    Raises:
        InputError: it cannot be written to.
    """
    fix = f"give another {option}, or fix that"
    place = folder
    try:
        while not place.exists() and not place.is_symlink() and place != place.parent:
            place = place.parent
        is_directory = place.is_dir()
    except OSError as error:  # Python 3.11 raises if a folder above may not be entered
        raise InputError(f"{option} is {folder}: {place} cannot be read: {error.strerror}; {fix}") from error
    if not is_directory:
        found = "a broken link" if place.is_symlink() else "not a directory"
        raise InputError(f"{option} is {folder}: {place} is {found}; {fix}")
    for inner in (place, folder / ".stages"):
        try:
            if inner.is_dir():
                with tempfile.TemporaryFile(dir=inner) as stream:
                    stream.write(SOME_BYTES)
                tempfile.TemporaryDirectory(dir=inner).cleanup()
        except OSError as error:
            why = f"{inner} cannot be written to: {error.strerror}"
            raise InputError(f"{option} is {folder}: {why}; {fix}") from error
