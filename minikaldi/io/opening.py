"""Opening an extended file name: a file at an offset, a standard stream or a pipe.

Source: Kaldi util/kaldi-io.cc.
"""

from __future__ import annotations

import io
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from common.errors import KaldiError, why
from minikaldi.io.context import StreamContext
from minikaldi.io.pipes import open_input_pipe, open_output_pipe
from minikaldi.io.places import counted_file
from minikaldi.io.primitives import Reader, show_name
from minikaldi.io.specifiers import parse_rxfilename, parse_wxfilename


def open_read(
    rxfilename: str, context: StreamContext | None = None, buffer_bytes: int = -1
) -> AbstractContextManager[Reader]:
    """A stream to read from; closing it checks a pipe's exit code and leaves the standard input open.

    Args:
        rxfilename: extended file name.
        context: the standard streams, and whether pipes are allowed; None: the process's own streams.
        buffer_bytes: how much of a file is read at once; -1: the system's block.

    Raises:
        KaldiError: no such file, or a pipe that fails (then on closing).
    """
    context = context or StreamContext()
    name = parse_rxfilename(rxfilename)
    if name.kind == "std":
        return nullcontext(context.stdin)
    if name.kind == "pipe":
        return open_input_pipe(name.target, context)
    return open_file(name.target, name.offset, buffer_bytes)


def open_file(path: str, offset: int = 0, buffer_bytes: int = -1) -> Reader:
    """A file at a byte offset."""
    try:
        stream = counted_file(_opened(path, buffer_bytes))
    except (OSError, ValueError) as exc:  # ValueError: a zero byte in the name
        raise _fault(path, "cannot open to read", exc) from exc
    if offset:
        try:
            go_to(stream, path, offset)
        except KaldiError:
            stream.close()
            raise
    return stream


def _opened(path: str, buffer_bytes: int) -> io.BufferedReader[Any]:
    if buffer_bytes < 0:
        return Path(path).open("rb")
    return io.BufferedReader(io.FileIO(path), buffer_bytes)


def go_to(stream: Reader, path: str, offset: int) -> None:
    """Put a file's stream at a byte offset.

    Raises:
        KaldiError: it is a pipe, or the file ends before that byte (every file does if the offset has over 63 bits).
    """
    try:
        stream.seek(offset)
        at_end = not stream.peek(1)
    except (OSError, OverflowError, ValueError) as exc:  # ValueError: an offset of over 63 bits
        if not stream.seekable():
            raise _fault(path, f"cannot go to byte {offset}", exc) from exc
        at_end = True
    if at_end:
        size = os.fstat(stream.fileno()).st_size
        name = f"{show_name(path)}:{offset}"
        raise KaldiError(f"{name}: byte {offset}: the file has only {size} bytes; make the list again")


def open_write(wxfilename: str, context: StreamContext | None = None) -> AbstractContextManager[BinaryIO]:
    """A stream to write to; closing it checks a pipe's exit code and only flushes the standard output.

    Raises:
        KaldiError: the file cannot be made, or a pipe that fails (then on closing).
    """
    context = context or StreamContext()
    name = parse_wxfilename(wxfilename)
    if name.kind == "std":
        return nullcontext(context.stdout)
    if name.kind == "pipe":
        return open_output_pipe(name.target, context)
    try:
        return Path(name.target).open("wb")
    except (OSError, ValueError) as exc:  # a zero byte in the name
        raise _fault(name.target, "cannot open to write", exc) from exc


def _fault(path: str, what: str, cause: Exception) -> KaldiError:
    return KaldiError(f"{show_name(path)}: {what}: {why(cause)}")
