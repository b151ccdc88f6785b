"""Writing a table: an archive, a script that names one file for each key, or both.

Source: Kaldi util/kaldi-table-inl.h (TableWriter).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Generic, TypeVar

from common.errors import KaldiError
from minikaldi.io.context import StreamContext
from minikaldi.io.holders import Holder
from minikaldi.io.objects import where, write_object
from minikaldi.io.opening import open_read, open_write
from minikaldi.io.places import naming
from minikaldi.io.primitives import encode
from minikaldi.io.sequential import script_lines
from minikaldi.io.specifiers import Wspecifier, parse_wspecifier, parse_wxfilename

T = TypeVar("T")


def writer(wspecifier: str, holder: Holder[T], context: StreamContext | None = None) -> TableWriter[T]:
    """Open a table to write: ``with writer("ark,scp:a.ark,a.scp", FLOAT_VECTOR) as out: out.write(key, vector)``

    Args:
        wspecifier: the table.
        holder: writer of its objects.
        context: the standard streams, and whether pipes are allowed; None: the process's own streams.

    Raises:
        KaldiError: a file cannot be made, a pipe fails, a key is not one word, or a script (`scp:`) lacks the key.
    """
    context = context or StreamContext()
    spec = parse_wspecifier(wspecifier)
    if spec.archive is None:
        assert spec.script is not None  # a wspecifier names at least one of the two
        return ScriptWriter(spec.script, holder, spec.binary, spec.permissive, context)
    return ArchiveWriter(spec, spec.archive, holder, context)


class TableWriter(ABC, Generic[T]):
    """An open table; a context manager with `write`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = ExitStack()

    def __enter__(self) -> TableWriter[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def write(self, key: str, value: T) -> None:
        """Add an entry; `key` is one word."""

    def close(self) -> None:
        """Flush and close; the exit code of a pipe is checked."""
        with naming(self._name):
            self._open.close()


class ArchiveWriter(TableWriter[T]):
    """An archive, and if wanted a script with the byte offset of each object."""

    def __init__(self, spec: Wspecifier, archive: str, holder: Holder[T], context: StreamContext) -> None:
        super().__init__(where(archive, "standard output"))
        script = spec.script
        if script is not None and parse_wxfilename(archive).kind != "file":
            raise KaldiError(f"cannot write a script with offsets into {archive!r}, which is not a file")
        for name in (archive, script):
            if name is not None:
                context.check_not_read(name)
        self._archive = archive
        self._holder = holder
        self._binary = spec.binary
        self._flush_each = spec.flush
        self._stream = _CountingWriter(self._open.enter_context(open_write(archive, context)))
        try:
            self._script = self._open.enter_context(open_write(script, context)) if script is not None else None
        except KaldiError:
            self._open.close()
            raise
        self._open.callback(self._flush)

    def write(self, key: str, value: T) -> None:
        """Add an entry.

        Raises:
            KaldiError: the key is not one word, or the holder does not write the value.
        """
        _check_key(key)
        with naming(self._name):
            self._stream.write(encode(key) + b" ")
            if self._script is not None:
                self._script.write(encode(f"{key} ") + os.fsencode(f"{self._archive}:{self._stream.count}\n"))
            try:
                self._holder.write(self._stream, value, self._binary)  # type: ignore[arg-type]
            except KaldiError as exc:
                raise KaldiError(f"{self._name}: key {key}: {exc}") from exc
            if self._flush_each:
                self._flush()

    def _flush(self) -> None:
        self._stream.flush()
        if self._script is not None:
            self._script.flush()


class ScriptWriter(TableWriter[T]):
    """An existing script: each object is written to the file that the line of its key names."""

    def __init__(self, script: str, holder: Holder[T], binary: bool, permissive: bool, context: StreamContext) -> None:
        super().__init__(script)
        self._script, self._holder = script, holder
        self._binary, self._permissive, self._context = binary, permissive, context
        with open_read(script, context) as stream:
            self._files = dict(script_lines(stream, script))

    def write(self, key: str, value: T) -> None:
        """Write the file of a key.

        Raises:
            KaldiError: the script lacks the key (with the option `p` the value is skipped instead).
        """
        if key in self._files:
            write_object(self._files[key], self._holder, value, self._binary, self._context)
        elif not self._permissive:
            raise KaldiError(f"{self._script}: the key {key} is not there, so there is no file for its object")


class _CountingWriter:
    """A stream that counts the bytes written (a pipe does not know its position)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def write(self, data: bytes | memoryview) -> int:
        self._stream.write(data)
        self.count += len(data)
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def _check_key(key: str) -> None:
    if encode(key).split() != [encode(key)]:
        raise KaldiError(f"the key {key!r} is not one word")
