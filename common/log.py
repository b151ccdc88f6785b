"""Messages in Kaldi's form on stderr, under the name of the minikaldi command that runs in the current thread.

Several commands can run in one process (`minikaldi.io.inner`), each in its own thread, so the name is a context
variable. If no command runs, messages go to the logger ``minikaldi``.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

# As in "LOG (copy-feats[minikaldi]:main():copy_feats.py:55) Copied 8 feature matrices."
current_command: ContextVar[str | None] = ContextVar("current_command", default=None)

# Files that only pass a message on: the message comes from their caller.
_PASSED_ON_BY = ("log.py", "command.py", "text_lines.py")


def log(text: str) -> None:
    """Report what was done."""
    _emit("LOG", logging.INFO, text)


def warning(text: str) -> None:
    """Report what is odd but not fatal."""
    _emit("WARNING", logging.WARNING, text)


def error(text: str, raised_by: BaseException | None = None) -> None:
    """Report why the command stops; the line names the place where `raised_by` was raised."""
    _emit("ERROR", logging.ERROR, text, raised_by)


def print_text(text: str) -> None:
    """Print text on stderr as it is. A log that cannot be written (full disk, closed pipe) stops no command."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _emit(kind: str, level: int, text: str, raised_by: BaseException | None = None) -> None:
    command = current_command.get()
    if command is None:
        logging.getLogger("minikaldi").log(level, text)
        return
    # One write per message: threads of one process must not mix within a line.
    print_text(f"{kind} ({command}[minikaldi]:{_place(raised_by)}) {text}\n")


def _place(raised_by: BaseException | None) -> str:
    """`function():file:line` of the error, or of the code that reports."""
    trace = raised_by.__traceback__ if raised_by is not None else None
    if trace is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        return _described(trace.tb_frame, trace.tb_lineno)
    frame = sys._getframe(1)
    while frame.f_back is not None and Path(frame.f_code.co_filename).name in _PASSED_ON_BY:
        frame = frame.f_back
    return _described(frame, frame.f_lineno)


def _described(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_name.strip('<>')}():{Path(frame.f_code.co_filename).name}:{line}"
