"""Files and folders that appear whole, or not at all.

They are written under a hidden name, `.<name>.writing.<host>.<pid>`, and renamed at the end; signals wait during the
renaming. What a killed process left under such a name, the next writer on that host removes; a writer that holds a lock
on the folder (`alone`) removes what was left on any host.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from common.errors import InputError, why
from common.text_files import open_text, write_lines

HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, or a limit on a file's size


def hidden_name(name: str) -> str:
    """What `name` is called by this process while it is written."""
    return f".{name}.writing.{socket.gethostname()}.{os.getpid()}"


def remove_leftovers(folder: Path, name: str, alone: bool = False) -> None:
    """Remove what processes that have ended left half-written for `name` in `folder`.

    Args:
        folder: where it is written.
        name: the file or folder that was to be written.
        alone: nobody else writes it now, on any host: leftovers of other hosts are removed too.
    """
    start = f".{name}.writing."
    for path in folder.iterdir():
        host, _, pid = path.name.removeprefix(start).rpartition(".")
        if not path.name.startswith(start) or not host or not pid.isdecimal():
            continue
        if alone or (host == socket.gethostname() and not _is_alive(int(pid))):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that would end the process wait until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_renameable(path: Path) -> bool:
    # A pipe, a terminal or /dev/stdout is written to as it is.
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def write_files(outputs: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Write (path, lines) each; all files appear at the end, together. `-` is standard output."""
    written: list[tuple[Path, Path]] = []
    try:
        for name, lines in outputs:
            path = Path(name)
            if name == "-":
                write_stdout(lines)
            elif not _is_renameable(path):
                with open_text(path, "w") as stream:
                    write_lines(stream, lines)
            else:
                remove_leftovers(path.parent, path.name)
                hidden = path.with_name(hidden_name(path.name))
                written.append((hidden, path))
                with open_text(hidden, "w") as stream:
                    write_lines(stream, lines)
        with signals_held():
            for hidden, path in written:
                hidden.replace(path)
    finally:
        for hidden, _ in written:
            hidden.unlink(missing_ok=True)


def write_stdout(lines: Iterable[str]) -> None:
    """Write lines to standard output, whatever the locale."""
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
    write_lines(sys.stdout, lines)


@contextlib.contextmanager
def writing(path: Path, alone: bool = False) -> Iterator[Path]:
    """A hidden path to write to, which becomes `path` at the end of the block; after an error `path` is untouched.

    Args:
        path: the file.
        alone: as for `remove_leftovers`.
    """
    remove_leftovers(path.parent, path.name, alone)
    hidden = path.with_name(hidden_name(path.name))
    try:
        yield hidden
        with signals_held():
            hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


@contextlib.contextmanager
def hidden_folder(parent: Path, name: str) -> Iterator[Path]:
    """A hidden folder in `parent` for the time of the block; at its end it is removed, unless it was renamed."""
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent, name)
    hidden = parent / hidden_name(name)
    try:
        hidden.mkdir()
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """A hidden folder that replaces the folder `path` at the end of the block; after an error `path` is untouched."""
    with hidden_folder(path.parent, path.name) as hidden:
        yield hidden
        with signals_held():
            shutil.rmtree(path, ignore_errors=True)
            hidden.rename(path)


def write_whole(
    path: Path, content: bytes | memoryview, before_rename: Callable[[], None] | None = None, alone: bool = False
) -> None:
    """Write a file that is whole even if the machine stops: the old one or the new one is there.

    Args:
        path: the file.
        content: its bytes.
        before_rename: called when they are on disk under another name, and the old file is still there.
        alone: as for `remove_leftovers`.

    Raises:
        InputError: it cannot be written (no space left, no permission); an earlier file is untouched.
    """
    try:
        with writing(path, alone) as hidden:
            with hidden.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if before_rename is not None:
                before_rename()
        _sync_directory(path.parent)
    except OSError as error:
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
