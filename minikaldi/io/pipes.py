"""Commands in file names, as byte streams: `cmd |` to read from, `| cmd` to write to.

A line of commands that the process's runner has (`minikaldi.io.runner`) runs inside this process; any other is given to
bash, as Kaldi gives it to sh. In both cases the exit code is checked when the stream is closed. A reader that has
enough may close before the end: the command's broken pipe is then not an error. It is an error if a command ends before
it has read everything that is written to it. Of a line of several commands bash reports the last one's exit code, as sh
does; inside this process every code counts.
"""

from __future__ import annotations

import io
import signal
import subprocess
from typing import IO, TYPE_CHECKING, BinaryIO

from common.errors import KaldiError
from minikaldi.io import inner
from minikaldi.io.context import StreamContext

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_BUFFER_BYTES = 1 << 16
_BY_SIGNAL = 128  # a shell adds it to the number of the signal that ended a command
_BROKEN_PIPE = _BY_SIGNAL + signal.SIGPIPE


def open_input_pipe(command: str, context: StreamContext) -> io.BufferedReader:
    """A stream of the output of `command`."""
    context.check_pipe(command)
    stages = inner.parse_pipeline(command)
    if stages is None:
        return io.BufferedReader(_ShellReader(command, context), _BUFFER_BYTES)
    return inner.open_input(command, stages, context)


def open_output_pipe(command: str, context: StreamContext) -> BinaryIO:
    """A stream that `command` reads."""
    context.check_pipe(command)
    stages = inner.parse_pipeline(command)
    if stages is None:
        return io.BufferedWriter(_ShellWriter(command), _BUFFER_BYTES)
    return inner.open_output(command, stages, context)


def _pipe_of(stream: IO[bytes] | None) -> io.FileIO:
    assert isinstance(stream, io.FileIO)  # bufsize=0 makes it one
    return stream


def _start(command: str, stdin: int | None, stdout: int | None) -> subprocess.Popen[bytes]:
    # restore_signals (the default) gives the command the usual SIGPIPE, which Python itself ignores.
    try:
        return subprocess.Popen(["bash", "-c", command], stdin=stdin, stdout=stdout, bufsize=0)
    except (OSError, ValueError) as exc:  # no bash, too long a line, a zero byte
        raise KaldiError(f"the pipe {command[:200]!r} cannot be started: {exc}") from exc


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """The exit code, as a shell reports it."""
    code = process.wait()
    return code if code >= 0 else _BY_SIGNAL - code


class _ShellReader(io.RawIOBase):
    """The standard output of a shell command."""

    def __init__(self, command: str, context: StreamContext) -> None:
        self._command = command
        # Inside an inner pipe the standard input is a channel of this process, which a child cannot inherit.
        stdin = None if context.has_process_stdin else subprocess.DEVNULL
        self._process = _start(command, stdin, subprocess.PIPE)
        self._pipe = _pipe_of(self._process.stdout)
        self._ended = False
        self._count = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; 0 at the end."""
        count = self._pipe.readinto(buffer) or 0
        self._ended = count == 0
        self._count += count
        return count

    def tell(self) -> int:
        """Bytes read so far, for messages."""
        return self._count

    def close(self) -> None:
        """Close the stream and wait for the command.

        Raises:
            KaldiError: everything was read, and the command failed.
        """
        if self.closed:
            return
        super().close()
        ended = self._ended or not self._pipe.read(1)
        self._pipe.close()
        code = _exit_code(self._process)
        if ended and code != 0:
            raise KaldiError(f"the pipe {self._command!r} failed with exit code {code}")


class _ShellWriter(io.RawIOBase):
    """The standard input of a shell command."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._process = _start(command, subprocess.PIPE, None)
        self._pipe = _pipe_of(self._process.stdin)

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write some of `data`.

        Raises:
            KaldiError: the command has ended; the text names its exit code.
        """
        try:
            return self._pipe.write(data) or 0
        except BrokenPipeError as exc:
            code = _exit_code(self._process)
            raise KaldiError(f"the pipe {self._command!r} ended with exit code {code} before it had read all") from exc

    def close(self) -> None:
        """Close the stream and wait for the command.

        Raises:
            KaldiError: the command failed.
        """
        if self.closed:
            return
        super().close()
        self._pipe.close()
        code = _exit_code(self._process)
        if code not in (0, _BROKEN_PIPE):
            raise KaldiError(f"the pipe {self._command!r} failed with exit code {code}")
