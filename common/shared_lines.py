"""A file to which several processes append lines: each line is whole, and none is lost.

A writer holds a lock (flock) while it looks at the file and appends, and appends with one call of the system. A process
that is killed while it writes can leave a line without its end. The next writer ends that line first, so that its own
lines are not damaged.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from common.errors import InputError, why

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # a file system without locks; a write is still whole there


def append_new_lines(path: Path, choose: Callable[[bytes], Iterable[str]]) -> int:
    """Append lines that may depend on what the file holds; they are on disk when this returns.

    Args:
        path: the file; made if it does not exist.
        choose: gets the content of the file and returns the lines to append. Nobody else appends meanwhile.

    Returns:
        How many lines were appended.

    Raises:
        InputError: the file cannot be read or written; it is then as it was.
    """
    try:
        with _locked(path) as descriptor:
            content = _content(descriptor)
            lines = list(choose(content))
            if lines:
                end = "" if not content or content.endswith(b"\n") else "\n"
                _append(descriptor, (end + "".join(f"{line}\n" for line in lines)).encode(), len(content))
            return len(lines)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {why(error)}") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    parts = []
    place = 0
    while part := os.pread(descriptor, 1 << 20, place):
        parts.append(part)
        place += len(part)
    return b"".join(parts)


def _append(descriptor: int, data: bytes, size: int) -> None:
    """Write all of it, or nothing: after an error the file has its former size, unless others have appended too."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        if os.fstat(descriptor).st_size == size + len(data) - len(rest):
            os.ftruncate(descriptor, size)
        raise
