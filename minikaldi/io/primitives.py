"""Tokens, numbers and blocks of bytes on a stream, in Kaldi's binary and text forms.

Source: Kaldi base/io-funcs.{h,cc}. Streams are buffered byte streams; only `peek`, `read`, `readinto` and `readline`
are used, so a pipe does as well as a file. A size that a header claims is believed only as far as the bytes are
there.
"""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError

Reader = io.BufferedReader
Writer = BinaryIO
Array = npt.NDArray[np.generic]

# A forged header can make us allocate this much at most before its bytes are seen.
_BLOCK_BYTES = 1 << 24
_LONGEST_WORD = 1 << 20
_SPACE = re.compile(rb"[ \t\n\r\f\v]")
_NOT_SPACE = re.compile(rb"[^ \t\n\r\f\v]")


def skip_space(stream: Reader) -> bool:
    """Pass over white space; False at the end of the stream."""
    while ahead := stream.peek(1):
        found = _NOT_SPACE.search(ahead)
        stream.read(found.start() if found else len(ahead))
        if found:
            return True
    return False


def read_word(stream: Reader) -> str:
    """The bytes up to the next white space, which stays in the stream; '' at the end of the stream."""
    word = bytearray()
    while ahead := stream.peek(1):
        found = _SPACE.search(ahead)
        word += stream.read(found.start() if found else len(ahead))
        if found:
            break
        if len(word) > _LONGEST_WORD:
            raise KaldiError(f"found {len(word)} bytes without a space where a word was expected; not a Kaldi file?")
    return word.decode("utf-8", "surrogateescape")


def read_until(stream: Reader, stop: bytes, what: str) -> bytes:
    """The bytes up to and with the single byte `stop`.

    Raises:
        KaldiError: the stream ends first; `what` names what was being read.
    """
    taken = bytearray()
    while ahead := stream.peek(1):
        at = ahead.find(stop)
        taken += stream.read(len(ahead) if at < 0 else at + 1)
        if at >= 0:
            return bytes(taken)
    raise KaldiError(f"{what} ends before its {stop.decode()!r}: truncated?")


def read_exactly(stream: Reader, count: int, what: str) -> bytes:
    """`count` bytes (a small number: headers).

    Raises:
        KaldiError: fewer are left.
    """
    data = stream.read(count)
    if len(data) != count:
        raise KaldiError(f"{what}: expected {count} bytes, found {len(data)} before the end: truncated?")
    return data


def read_array(stream: Reader, dtype: npt.DTypeLike, count: int, what: str) -> Array:
    """`count` numbers as a writable array (count,), allocated no faster than the bytes arrive.

    Raises:
        KaldiError: a negative count, or fewer bytes than that.
    """
    kind = np.dtype(dtype)
    if count < 0:
        raise KaldiError(f"{what}: the header claims {count} elements")
    per_block = max(1, _BLOCK_BYTES // kind.itemsize)
    blocks = []
    for start in range(0, max(count, 1), per_block):
        block = np.empty(min(per_block, count - start), dtype=kind)
        got = stream.readinto(block.view(np.uint8).data) if block.size else 0
        if got != block.nbytes:
            found = start * kind.itemsize + got
            raise KaldiError(f"{what}: expected {count * kind.itemsize} bytes, found {found}: truncated?")
        blocks.append(block)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def read_binary_header(stream: Reader) -> bool:
    r"""True when the object is binary (starts with ``\0B``), which is passed over; False when it is text."""
    if stream.peek(1)[:1] != b"\0":
        return False
    if read_exactly(stream, 2, "binary header") != b"\0B":
        raise KaldiError("found a zero byte that does not start a binary header (\\0B)")
    return True


def write_binary_header(stream: Writer, binary: bool) -> None:
    r"""``\0B`` in binary, nothing in text."""
    if binary:
        stream.write(b"\0B")


def read_token(stream: Reader) -> str:
    """The next word; the one white-space byte after it is passed over."""
    if not skip_space(stream):
        raise KaldiError("expected a token, found the end of the file")
    word = read_word(stream)
    stream.read(1)
    return word


def expect_token(stream: Reader, expected: str) -> None:
    """Pass over the token `expected`.

    Raises:
        KaldiError: another one is there.
    """
    found = read_token(stream)
    if found != expected:
        raise KaldiError(f"expected the token {expected}, found {found[:80]!r}")


def write_token(stream: Writer, token: str) -> None:
    """A token and one space."""
    stream.write(encode(token) + b" ")


def read_int32(stream: Reader, binary: bool) -> int:
    """A 32-bit integer: a size byte 4 and four bytes, or text."""
    if binary:
        size, value = struct.unpack("<bi", read_exactly(stream, 5, "integer"))
        if size != 4:
            raise KaldiError(f"expected a 4-byte integer, found size {size}")
        return int(value)
    token = read_token(stream)
    try:
        return int(token)
    except ValueError as exc:
        raise KaldiError(f"expected an integer, found {token[:80]!r}") from exc


def write_int32(stream: Writer, value: int, binary: bool) -> None:
    """The inverse of `read_int32`; text has one space after."""
    stream.write(struct.pack("<bi", 4, value) if binary else b"%d " % value)


def read_float(stream: Reader, binary: bool) -> float:
    """A float or double: a size byte 4 or 8 and the number, or text."""
    if not binary:
        token = read_token(stream)
        try:
            return float(token)
        except ValueError as exc:
            raise KaldiError(f"expected a number, found {token[:80]!r}") from exc
    size = read_exactly(stream, 1, "number")[0]
    if size not in (4, 8):
        raise KaldiError(f"expected a 4- or 8-byte number, found size {size}")
    return float(struct.unpack("<f" if size == 4 else "<d", read_exactly(stream, size, "number"))[0])


def write_float(stream: Writer, value: float, binary: bool, double: bool = False) -> None:
    """The inverse of `read_float`; text has seven significant digits and one space after."""
    if binary:
        stream.write(struct.pack("<bd", 8, value) if double else struct.pack("<bf", 4, value))
    else:
        stream.write(b"%.7g " % value)


def encode(text: str) -> bytes:
    """The bytes of a key or token, as they were read."""
    return text.encode("utf-8", "surrogateescape")
