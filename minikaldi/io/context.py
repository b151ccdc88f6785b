"""The standard streams of a reader or writer, and whether its file names may hold commands."""

from __future__ import annotations

import io
import os
import stat
import sys
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TextIO

from common.errors import KaldiError
from minikaldi.io.places import counted_stdin, naming
from minikaldi.io.primitives import Reader, show_name


class StreamContext:
    """The streams that '-' means, and the permission to run the commands in file names.

    Args:
        stdin: standard input, bytes; None: the process's own, looked up when it is needed.
        stdout: standard output, bytes; None: the process's own.
        allow_pipes: whether commands may run; None: unless MINIKALDI_NO_PIPES is set to anything but 0.
    """

    def __init__(
        self, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None, allow_pipes: bool | None = None
    ) -> None:
        self._stdin = stdin
        self._stdout = stdout
        no_pipes = os.environ.get("MINIKALDI_NO_PIPES", "0") not in ("", "0")
        self._tables_read: list[Reader] = []
        self.allow_pipes = not no_pipes if allow_pipes is None else allow_pipes

    @cached_property
    def stdin(self) -> Reader:
        """Standard input, buffered, so that it can peek; the process's own knows its position."""
        stream = _open(sys.stdin, "input") if self._stdin is None else self._stdin
        if not isinstance(stream, io.BufferedReader):
            return io.BufferedReader(stream)  # type: ignore[arg-type]
        return counted_stdin(stream) if self.has_process_stdin else stream

    @cached_property
    def stdout(self) -> BinaryIO:
        """Standard output, bytes."""
        return _open(sys.stdout, "output") if self._stdout is None else self._stdout

    def flush(self) -> None:
        """Flush the standard output, if it was ever used."""
        if "stdout" in self.__dict__:
            with naming("standard output"):
                self.stdout.flush()

    @property
    def stdin_to_share(self) -> Reader | None:
        """The standard input of a command that runs inside; None if it is the process's own."""
        return None if self.has_process_stdin else self.stdin

    @property
    def stdout_to_share(self) -> BinaryIO | None:
        """The standard output of a command that runs inside; None if it is the process's own."""
        return self._stdout

    @property
    def has_process_stdin(self) -> bool:
        """Whether '-' is the standard input that a child process would inherit."""
        return self._stdin is None or (sys.stdin is not None and self._stdin is sys.stdin.buffer)

    def note_table(self, stream: Reader) -> None:
        """Remember the stream of a table until it is closed."""
        self._tables_read = [*(known for known in self._tables_read if not known.closed), stream]

    def check_not_read(self, path: str) -> None:
        """Refuse to write to a file that a table is read from: opening it would empty it.

        Raises:
            KaldiError: the file is being read.
        """
        if any(_is_same_file(stream, path) for stream in self._tables_read):
            raise KaldiError(f"{show_name(path)}: cannot write to a file that is being read; write to another name")

    def check_pipe(self, command: str) -> None:
        """Refuse a command if pipes are off.

        Raises:
            KaldiError: they are.
        """
        if not self.allow_pipes:
            raise KaldiError(
                f"refused to run the pipe {command!r}: pipes are off (--no-pipes or MINIKALDI_NO_PIPES=1); "
                "allow them, or write the data to a file first"
            )


def _open(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:  # after `<&-`
        raise KaldiError(f"the standard {name} is closed; open it, or give a file name in place of '-'")
    return stream.buffer


def _is_same_file(stream: Reader, path: str) -> bool:
    try:
        status = Path(path).stat()
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.fstat(stream.fileno()))
    except (OSError, ValueError):  # no such file; a stream that is closed or not a file's; a zero byte in the name
        return False
