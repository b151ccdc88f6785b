"""Reading a table by key.

Source: Kaldi util/kaldi-table-inl.h (RandomAccessTableReader). A script is kept as a map of its lines. An archive is
read up to the key that is looked up. The objects on the way are kept, unless the caller promises (`s`, `cs`) that the
table and the lookups are sorted. If the caller promises (`o`) to look up each key once, its object is then dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, TypeVar

from common.errors import KaldiError
from common.log import warning
from minikaldi.io.context import StreamContext
from minikaldi.io.entries import archive_entries, buffer_bytes
from minikaldi.io.holders import Holder
from minikaldi.io.objects import ObjectReader, where
from minikaldi.io.opening import open_read
from minikaldi.io.primitives import encode, show_key
from minikaldi.io.sequential import close_table, script_lines
from minikaldi.io.specifiers import Rspecifier, parse_rspecifier

T = TypeVar("T")


def random_access(rspecifier: str, holder: Holder[T], context: StreamContext | None = None) -> RandomAccessReader[T]:
    """Open a table by key: ``with random_access("scp:vad.scp", FLOAT_VECTOR) as vad: if key in vad: vad[key]``

    Args:
        rspecifier: the table.
        holder: reader of its objects.
        context: the standard streams, and whether pipes are allowed; None: the process's own streams.

    Raises:
        KaldiError: the table cannot be opened, holds a key twice, or is not sorted although it has the option `s`;
            later, keys of an archive are looked up out of order although it has the option `cs`.
    """
    context = context or StreamContext()
    spec = parse_rspecifier(rspecifier)
    return ScriptReader(spec, holder, context) if spec.kind == "scp" else ArchiveReader(spec, holder, context)


class RandomAccessReader(ABC, Generic[T]):
    """An open table; a context manager with `in` and `[]`."""

    def __init__(self, spec: Rspecifier) -> None:
        self._spec = spec
        self._open = ExitStack()

    def __enter__(self) -> RandomAccessReader[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        close_table(self._open, self._spec)

    @abstractmethod
    def __contains__(self, key: str) -> bool:
        """Whether the table has the key."""

    @abstractmethod
    def __getitem__(self, key: str) -> T:
        """The object of a key.

        Raises:
            KaldiError: the table does not have the key, or the object cannot be read.
        """


class ScriptReader(RandomAccessReader[T]):
    """A script file as a map from key to file name; the last object is kept."""

    def __init__(self, spec: Rspecifier, holder: Holder[T], context: StreamContext) -> None:
        super().__init__(spec)
        self._objects = self._open.enter_context(ObjectReader(holder, context))
        self._files: dict[str, str] = {}
        last_key = ""
        self._last: tuple[str, T] | None = None
        with open_read(spec.rxfilename, context) as stream:
            for key, rxfilename in script_lines(stream, spec.rxfilename):
                if key in self._files:
                    raise KaldiError(f"{where(spec.rxfilename)}: the key {show_key(key)} is there twice")
                if spec.sorted:
                    _check_order(where(spec.rxfilename), last_key, key)
                self._files[key], last_key = rxfilename, key

    def __contains__(self, key: str) -> bool:
        if key not in self._files:
            return False
        if not self._spec.permissive:
            return True
        try:  # permissive: an entry that cannot be read counts as absent
            self._load(key)
        except KaldiError as exc:
            warning(str(exc))
            return False
        return True

    def __getitem__(self, key: str) -> T:
        if key not in self._files:
            raise KaldiError(f"{where(self._spec.rxfilename)}: the key {show_key(key)} is not there")
        value = self._load(key)
        if self._spec.once:
            self._last = None
        return value

    def _load(self, key: str) -> T:
        if self._last is None or self._last[0] != key:
            self._last = (key, self._objects.read(self._files[key], key, where(self._spec.rxfilename)))
        return self._last[1]


class ArchiveReader(RandomAccessReader[T]):
    """An archive, read forward as keys are looked up."""

    def __init__(self, spec: Rspecifier, holder: Holder[T], context: StreamContext) -> None:
        super().__init__(spec)
        self._name = where(spec.rxfilename)
        stream = self._open.enter_context(open_read(spec.rxfilename, context, buffer_bytes(holder)))
        context.note_table(stream)
        self._entries = archive_entries(stream, holder, self._name)
        self._kept: dict[str, T] = {}
        self._last_key = ""
        self._last_asked = ""
        self._ended = False
        self._in_order = spec.sorted and spec.called_sorted

    def __contains__(self, key: str) -> bool:
        if not self._in_order and key in self._kept:
            return True
        if self._in_order:
            self._check_asked(key)
            self._forget_before(key)
        while key not in self._kept and not self._ended and not self._is_past(key):
            self._read_next()
            if self._in_order:  # earlier keys will not be looked up: one object is kept, however far the key is
                self._forget_before(key)
        return key in self._kept

    def __getitem__(self, key: str) -> T:
        if key not in self:
            raise KaldiError(f"{self._name}: the key {show_key(key)} is not there{self._sorted_hint()}")
        return self._kept.pop(key) if self._spec.once else self._kept[key]

    def _is_past(self, key: str) -> bool:
        return self._spec.sorted and self._last_key != "" and encode(self._last_key) > encode(key)

    def _read_next(self) -> None:
        try:
            entry = next(self._entries, None)
            if entry is None:
                self._ended = True
                return
            key, value = entry
            self._check_order(key)
            self._kept[key] = value
            self._last_key = key
        except KaldiError as exc:
            if not self._spec.permissive:
                raise
            warning(f"{exc}; the rest of the archive is skipped")
            self._ended = True

    def _check_order(self, key: str) -> None:
        if key in self._kept or (self._spec.sorted and key == self._last_key):
            raise KaldiError(f"{self._name}: the key {show_key(key)} is there twice")
        if self._spec.sorted:
            _check_order(self._name, self._last_key, key)

    def _check_asked(self, key: str) -> None:
        if encode(key) < encode(self._last_asked):  # it may be dropped already: "not there" would be a guess
            raise KaldiError(
                f"{self._name}: the key {show_key(key)} is asked for after {show_key(self._last_asked)}, but the "
                "option cs says that keys are asked for in order; sort the other table (LC_ALL=C) or drop the cs"
            )
        self._last_asked = key

    def _forget_before(self, key: str) -> None:
        wanted = encode(key)
        for kept in [k for k in self._kept if encode(k) < wanted]:
            del self._kept[kept]

    def _sorted_hint(self) -> str:
        return " (the options s,cs promise keys in C order)" if self._spec.sorted else ""


def _check_order(name: str, before: str, key: str) -> None:
    """Check two keys in sequence of a table with the option s.

    Raises:
        KaldiError: they are not sorted.
    """
    if encode(before) > encode(key):
        raise KaldiError(
            f"{name}: the key {show_key(key)} comes after {show_key(before)}, but the option s says it is sorted; "
            "sort it (LC_ALL=C) or drop the s"
        )
