"""Reading the entries of an archive in order.

Source: Kaldi util/kaldi-table-inl.h (SequentialTableReaderArchiveImpl).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from common.errors import KaldiError
from common.text_lines import LONGEST_MARK, LineEnds
from minikaldi.io.holders import Holder, VectorHolder
from minikaldi.io.objects import read_named
from minikaldi.io.places import malformed
from minikaldi.io.primitives import Reader, decode, encode, excerpt, read_word, skip_space

T = TypeVar("T")
_PLAIN_KEY = re.compile(rb"[^ \t\n\r\f\v]+[ \t]")
_FLOAT32 = np.dtype(np.float32)
_PLAIN_VECTOR = re.compile(rb"([^\x00-\x20]+) \0BFV \x04(.{4})", re.DOTALL)  # key, header and dimension
_HEADER_BYTES = len(b" \0BFV \x04") + 4  # blank after the key, header and dimension
_LAST_BLANK = 0x20
_SHORT_RUN = 12  # a run costs as much as eight single vectors


def archive_entries(stream: Reader, holder: Holder[T], name: str) -> Iterator[tuple[str, T]]:
    """(key, object) of each entry.

    Args:
        stream: the archive.
        holder: reader of the objects.
        name: name of the archive in messages.

    Raises:
        KaldiError: an entry cannot be read; the text names the archive, the key and the byte.
    """
    _skip_mark(stream, name)
    of_vectors = _holds_floats(holder)
    while True:
        if of_vectors:
            yield from _buffered_vectors(stream)
        key = next_key(stream, name)
        if not key:
            return
        yield key, read_named(stream, holder, name, key)


def _skip_mark(stream: Reader, name: str) -> None:
    """Skip a byte order mark at the beginning of an archive (a spk2utt that an editor saved), with a warning.

    Raises:
        KaldiError: the archive is UTF-16.
    """
    beginning = stream.peek(LONGEST_MARK)[:LONGEST_MARK]
    if not beginning.isascii():
        stream.read(len(beginning) - len(LineEnds(name, KaldiError).without_mark(beginning)))


def buffer_bytes(holder: Holder[Any]) -> int:
    """Bytes of an archive that are read at once: many for short vectors; else -1, the system's block."""
    return 1 << 16 if _holds_floats(holder) else -1


def _holds_floats(holder: Holder[Any]) -> bool:
    return isinstance(holder, VectorHolder) and holder.dtype == _FLOAT32


def _buffered_vectors(stream: Reader) -> list[tuple[str, Any]]:
    """The binary float32 vectors that are complete in the stream's buffer, up to the first other entry; maybe none.

    Tables hold hundreds of thousands of short vectors, and one call on a stream takes as long as one vector.
    """
    data = stream.peek(1)
    found: list[tuple[str, Any]] = []
    begin = 0
    in_runs = True
    while entry := _PLAIN_VECTOR.match(data, begin):
        dim = int.from_bytes(entry[2], "little")
        end = entry.end() + dim * _FLOAT32.itemsize
        if end > len(data):
            break
        if in_runs and dim and len(data) - begin >= _SHORT_RUN * (end - begin):
            run = _run_of_vectors(data, begin, entry.end() - begin, dim)
            in_runs = len(run) >= _SHORT_RUN  # else the keys' lengths change again and again
            found += run
            begin += len(run) * (end - begin)
        else:
            found.append((decode(entry[1]), np.frombuffer(data, _FLOAT32, dim, entry.end()).copy()))
            begin = end
    if begin:
        stream.read(begin)
    return found


def _run_of_vectors(data: bytes, begin: int, head: int, dim: int) -> list[tuple[str, Any]]:
    """Entries from `begin` on whose key and header have `head` bytes, as the first entry's, and dimension `dim`."""
    size = head + dim * _FLOAT32.itemsize
    count = (len(data) - begin) // size
    rows = np.frombuffer(data, np.uint8, count * size, begin).reshape(count, size)
    key_end = head - _HEADER_BYTES
    same = (rows[:, key_end:head] == rows[0, key_end:head]).all(axis=1) & (rows[:, :key_end] > _LAST_BLANK).all(axis=1)
    if not same.all():
        count = int(np.argmin(same))
    vectors = rows[:count, head:].copy().view(_FLOAT32)  # (count, dim)
    starts = range(begin, begin + count * size, size)
    keys = [decode(data[start : start + key_end]) for start in starts]
    return list(zip(keys, vectors, strict=True))


def next_key(stream: Reader, name: str) -> str:
    """The next key of an archive; the blank after it is skipped. '' at the end."""
    if plain := _PLAIN_KEY.match(stream.peek(1)):  # the usual case; the rest handles split and unusual keys
        return decode(stream.read(plain.end())[:-1])
    if not skip_space(stream):
        return ""
    try:
        key = read_word(stream)
    except KaldiError as exc:
        raise KaldiError(f"{name}: {exc}") from exc
    after = stream.peek(1)[:1]
    if after not in (b" ", b"\t", b"\n"):
        said = (
            f"the archive ends after {excerpt(key)}" if not after else f"found {after!r} after the key {excerpt(key)}"
        )
        fault = malformed(stream, f"{said}, expected a space and an object: truncated?", back=len(encode(key)))
        raise KaldiError(f"{name}: {fault}")
    if after != b"\n":  # an empty line's end belongs to its (empty) object
        stream.read(1)
    return key
