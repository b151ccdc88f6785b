"""What a reader or writer needs to know of its surroundings: the standard streams, and whether commands may be run."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from typing import BinaryIO

from minikaldi.errors import KaldiError
from minikaldi.io.primitives import Reader


@dataclass(frozen=True)
class Context:
    """The streams that '-' stands for, and the permission to start the commands that file names hold."""

    stdin: Reader
    stdout: BinaryIO
    allow_pipes: bool = True

    def check_pipe(self, command: str) -> None:
        """Raises KaldiError where pipes are refused."""
        if not self.allow_pipes:
            raise KaldiError(
                f"refused to run the pipe {command!r}: pipes are off (--no-pipes or MINIKALDI_NO_PIPES=1); "
                "allow them, or write the data to a file first"
            )


def pipes_allowed() -> bool:
    """False where MINIKALDI_NO_PIPES is set to anything but 0."""
    return os.environ.get("MINIKALDI_NO_PIPES", "0") in ("", "0")


def default_context() -> Context:
    """The process's own streams and environment."""
    return Context(as_reader(sys.stdin.buffer), sys.stdout.buffer, pipes_allowed())


def as_reader(stream: BinaryIO) -> Reader:
    """`stream` as a buffered reader that can peek (a BytesIO cannot)."""
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]
