"""Writing files so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from common.errors import InputError, why

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, or a limit on a file's size


def write_whole(path: Path, content: bytes | memoryview, before_rename: Callable[[], None] | None = None) -> None:
    """Write a file at once; the old or the new one is there even if the machine stops.

    Args:
        path: the file.
        content: its bytes.
        before_rename: called when they are on disk under another name, and the old file still there.

    Raises:
        InputError: it cannot be written (no space left, no permission); an earlier file is untouched.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if before_rename is not None:
            before_rename()
        partial.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        kept = "the one before it is untouched" if path.exists() else "there was none before it"
        space = "; make room, then give the same command again" if error.errno in _FULL else ""
        raise InputError(f"{path}: cannot be written: {why(error)}; {kept}{space}") from error


def append_line(path: Path, line: str) -> None:
    """Append a line; it is on disk when this returns.

    Raises:
        InputError: it cannot be written; the file may have lost the end of its last line.
    """
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {why(error)}") from error


def _sync_directory(directory: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
