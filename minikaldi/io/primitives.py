"""Tokens, numbers and blocks of bytes on a stream, in Kaldi's binary and text forms.

Source: Kaldi base/io-funcs.{h,cc}. Streams are buffered byte streams; only `peek`, `read`, `readinto` and `readline`
are used, so pipes work as well as files. Memory for a size that a header claims is allocated only as the bytes arrive.
Each error names the byte at which the unreadable thing begins (`minikaldi.io.places`); the function that opened the
stream adds the file and the key.
"""

from __future__ import annotations

import io
import math
import re
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from minikaldi.io.places import MalformedError, malformed, note_carriage_return

Reader = io.BufferedReader
Writer = BinaryIO
Array = npt.NDArray[np.generic]

LONGEST_NAME = 4096
"""Characters of a file name in a message; no file has a longer path."""

# A forged header causes an allocation of at most this size before its bytes are read.
_BLOCK_BYTES = 1 << 24
_LONGEST_WORD = 1 << 20
_LONGEST_LINE = 1 << 28
# Python alone accepts 1_000 as a number, and digits of any script.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9.]+(e[+-]?[0-9]+)?|inf(inity)?|nan)", re.IGNORECASE | re.ASCII)
_SPACE = re.compile(rb"[ \t\n\r\f\v]")
_NOT_SPACE = re.compile(rb"[^ \t\n\r\f\v]")


def skip_space(stream: Reader) -> bool:
    """Skip white space; False at the end of the stream."""
    while ahead := stream.peek(1):
        found = _NOT_SPACE.search(ahead)
        stream.read(found.start() if found else len(ahead))
        if found:
            return True
    return False


def read_word(stream: Reader) -> str:
    """Read up to the next white space, which stays in the stream; '' at the end of the stream."""
    word = bytearray()
    while ahead := stream.peek(1):
        found = _SPACE.search(ahead)
        word += stream.read(found.start() if found else len(ahead))
        if found:
            break
        if len(word) > _LONGEST_WORD:
            text = f"found {len(word)} bytes without a space where a word was expected; not a Kaldi file?"
            raise malformed(stream, text, back=len(word))
    return decode(bytes(word))


def read_until(stream: Reader, stop: bytes, what: str) -> bytes:
    """Read up to the byte `stop`, which is included.

    Args:
        stream: where to read.
        stop: a single byte.
        what: name of the thing in errors.

    Raises:
        MalformedError: the stream ends first.
    """
    taken = bytearray()
    while ahead := stream.peek(1):
        at = ahead.find(stop)
        taken += stream.read(len(ahead) if at < 0 else at + 1)
        if at >= 0:
            return bytes(taken)
    raise malformed(stream, f"{what} ends before its {stop.decode()!r}: truncated?", back=len(taken))


def read_line(stream: Reader, what: str, whole: bool = True) -> bytes:
    r"""Read up to the next ``\n``, which is included.

    Args:
        stream: at the beginning of the line.
        what: name of the line in errors.
        whole: whether a line without an end, at the end of the stream, is refused.

    Raises:
        MalformedError: nothing is left, there is no end of line, or the line is longer than 256 MB.
    """
    line = stream.readline(_LONGEST_LINE)
    if line.endswith(b"\r\n"):
        note_carriage_return(stream)
    if whole and not line.endswith(b"\n"):
        if len(line) >= _LONGEST_LINE:
            raise malformed(stream, f"{what}: the line is longer than {_LONGEST_LINE} bytes", back=len(line))
        found = f"found {excerpt(line)} and the end of the file" if line else "found the end of the file"
        raise malformed(stream, f"{what}: expected a line with a line end, {found}: truncated?", back=len(line))
    return line


def read_exactly(stream: Reader, count: int, what: str) -> bytes:
    """Read `count` bytes (a small number: headers).

    Raises:
        MalformedError: fewer are left.
    """
    data = stream.read(count)
    if len(data) != count:
        text = f"{what}: expected {count} bytes, found {len(data)} before the end: truncated?"
        raise malformed(stream, text, back=len(data))
    return data


def read_array(stream: Reader, dtype: npt.DTypeLike, count: int, what: str) -> Array:
    """Read `count` numbers as a writable array (count,), allocated no faster than the bytes arrive.

    Raises:
        MalformedError: a negative count, or fewer bytes than that.
    """
    kind = np.dtype(dtype)
    if count < 0:
        raise malformed(stream, f"{what}: the header claims {count} elements")
    per_block = max(1, _BLOCK_BYTES // kind.itemsize)
    blocks = []
    for start in range(0, max(count, 1), per_block):
        block = np.empty(min(per_block, count - start), dtype=kind)
        got = stream.readinto(block.view(np.uint8).data) if block.size else 0
        if got != block.nbytes:
            raise cut_short(stream, what, count * kind.itemsize, start * kind.itemsize + got)
        blocks.append(block)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def cut_short(stream: Reader, what: str, expected: int, found: int) -> MalformedError:
    """The error for a truncated object: `found` bytes, all just read, instead of `expected`."""
    return malformed(stream, f"{what}: expected {expected} bytes, found {found}: truncated?", back=found)


def read_binary_header(stream: Reader) -> bool:
    r"""True if the object is binary (begins with ``\0B``, which is skipped); False if it is text."""
    if stream.peek(1)[:1] != b"\0":
        return False
    if read_exactly(stream, 2, "binary header") != b"\0B":
        raise malformed(stream, "found a zero byte that does not start a binary header (\\0B)", back=2)
    return True


def write_binary_header(stream: Writer, binary: bool) -> None:
    r"""Write ``\0B`` in binary, nothing in text."""
    if binary:
        stream.write(b"\0B")


def read_token(stream: Reader) -> str:
    """Read the next word; the one white-space byte after it is skipped."""
    return _token_and_length(stream)[0]


def _token_and_length(stream: Reader) -> tuple[str, int]:
    """The next word, and its length with the byte after it, for errors."""
    if not skip_space(stream):
        raise malformed(stream, "expected a token, found the end of the file")
    word = read_word(stream)
    return word, len(encode(word)) + len(stream.read(1))


def expect_token(stream: Reader, expected: str) -> None:
    """Skip the token `expected`.

    Raises:
        MalformedError: another token was found.
    """
    found, length = _token_and_length(stream)
    if found != expected:
        raise malformed(stream, f"expected the token {expected}, found {excerpt(found)}", back=length)


def write_token(stream: Writer, token: str) -> None:
    """Write a token and one space."""
    stream.write(encode(token) + b" ")


def read_int32(stream: Reader, binary: bool) -> int:
    """Read a 32-bit integer: a size byte 4 and four bytes, or text."""
    if binary:
        size, value = struct.unpack("<bi", read_exactly(stream, 5, "integer"))
        if size != 4:
            raise malformed(stream, f"expected a 4-byte integer, found size {size}", back=5)
        return int(value)
    token, length = _token_and_length(stream)
    try:
        return to_int32(token)
    except ValueError as exc:
        raise malformed(stream, f"expected an integer of 32 bits, found {excerpt(token)}", back=length) from exc


def write_int32(stream: Writer, value: int, binary: bool) -> None:
    """The inverse of `read_int32`; text has a space after the number."""
    stream.write(struct.pack("<bi", 4, value) if binary else b"%d " % value)


def read_float(stream: Reader, binary: bool) -> float:
    """Read a float or double: a size byte 4 or 8 and the number, or text."""
    if not binary:
        token, length = _token_and_length(stream)
        try:
            return to_float(token)
        except ValueError as exc:
            raise malformed(stream, f"expected a number, found {excerpt(token)}", back=length) from exc
    size = read_exactly(stream, 1, "number")[0]
    if size not in (4, 8):
        raise malformed(stream, f"expected a 4- or 8-byte number, found size {size}", back=1)
    return float(struct.unpack("<f" if size == 4 else "<d", read_exactly(stream, size, "number"))[0])


def write_float(stream: Writer, value: float, binary: bool, double: bool = False) -> None:
    """The inverse of `read_float`; text has seven significant digits and a space after the number."""
    if binary:
        stream.write(struct.pack("<bd", 8, value) if double else struct.pack("<bf", 4, value))
    else:
        stream.write(b"%.7g " % value)


def decode(word: bytes) -> str:
    """A key or token as text; `encode` restores bytes that are not UTF-8."""
    return word.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes of a key or token, the inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


def to_int32(word: str | bytes) -> int:
    """A word as an integer.

    Raises:
        ValueError: it is not an integer, or has more than 32 bits.
    """
    text = _text(word)
    value = int(text) if _INTEGER.fullmatch(text) else None
    if value is None or not -(2**31) <= value < 2**31:
        raise ValueError(text)
    return value


def to_float(word: str | bytes) -> float:
    """A word as a number; `inf` and `nan` are numbers.

    Raises:
        ValueError: it is not a number, or is too large for a float64.
    """
    text = _text(word)
    value = float(text)
    if not _NUMBER.fullmatch(text) or (math.isinf(value) and text[-1].isdigit()):
        raise ValueError(text)
    return value


def _text(word: str | bytes) -> str:
    return decode(word) if isinstance(word, bytes) else word


def show_key(key: str) -> str:
    """A key for a message: as it is, or a quoted excerpt if it is very long or not printable."""
    return key if key.isprintable() and len(key) <= 200 else excerpt(key)


def show_name(filename: str) -> str:
    """A file name or command for a message: as it is, or a quoted excerpt if it is very long or not printable."""
    return filename if filename.isprintable() and len(filename) <= LONGEST_NAME else excerpt(filename, 200)


def quoted(filename: str) -> str:
    """A file name or command in quotes, for a message."""
    return excerpt(filename, LONGEST_NAME)


def excerpt(word: str | bytes, longest: int = 80) -> str:
    """The beginning of a word or line that was found, in quotes, for a message."""
    text = _text(word)
    return f"{text[:longest]!r}{'…' if len(text) > longest else ''}"
