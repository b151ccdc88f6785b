"""Files and folders that come into being whole, or not at all.

They are written under a hidden name, `.<name>.writing.<host>.<pid>`, and renamed at the end; signals wait while the
renaming lasts. What a killed process left under such a name, its successor removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from minikaldi.data_dir.lines import open_text, write_lines

HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hidden_name(name: str) -> str:
    """What `name` is called by this process while it is written."""
    return f".{name}.writing.{socket.gethostname()}.{os.getpid()}"


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what processes of this machine that are no more left half-written for `name` in `folder`."""
    start = f".{name}.writing.{socket.gethostname()}."
    for path in folder.iterdir():
        pid = path.name.removeprefix(start)
        if path.name.startswith(start) and pid.isdecimal() and not _is_alive(int(pid)):
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
