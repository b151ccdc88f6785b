"""Messages in Kaldi's form on stderr, under the name of the command that runs in the current thread.

Several commands can run in one process (see `minikaldi.io.inner`), each in its own thread, so the name is a context
variable. Outside of any command (a caller of `minikaldi.io`) messages go to the logger ``minikaldi``.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

# (command, module), as in "LOG (copy-feats[minikaldi]:copy_feats) Copied 8 feature matrices."
current_command: ContextVar[tuple[str, str] | None] = ContextVar("current_command", default=None)


def log(text: str) -> None:
    """Say what was done."""
    _emit("LOG", logging.INFO, text)


def warning(text: str) -> None:
    """Say what is odd but not fatal."""
    _emit("WARNING", logging.WARNING, text)


def error(text: str) -> None:
    """Say why the command stops."""
    _emit("ERROR", logging.ERROR, text)


def _emit(kind: str, level: int, text: str) -> None:
    command = current_command.get()
    if command is None:
        logging.getLogger("minikaldi").log(level, text)
        return
    # One write per message: threads of one process must not mix within a line.
    sys.stderr.write(f"{kind} ({command[0]}[minikaldi]:{command[1]}) {text}\n")
    sys.stderr.flush()
