"""The form of each kind of object in a table or file: a `Holder` reads one from a stream and writes one to it.

Source: Kaldi util/kaldi-holder-inl.h.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from minikaldi.io.compressed import write_compressed
from minikaldi.io.matrices import read_matrix, read_vector_object, write_matrix, write_vector
from minikaldi.io.places import malformed
from minikaldi.io.primitives import (
    Reader,
    Writer,
    decode,
    encode,
    excerpt,
    read_array,
    read_binary_header,
    read_exactly,
    read_float,
    read_int32,
    read_line,
    to_float,
    to_int32,
    write_binary_header,
    write_float,
    write_int32,
)

T = TypeVar("T")
N = TypeVar("N", int, float)
_SIZED_INT32 = np.dtype([("size", "i1"), ("value", "<i4")])


class Holder(Protocol[T]):
    """Reads and writes one kind of object.

    Attributes:
        what: name of the kind in messages.
    """

    what: str

    def read(self, stream: Reader) -> T:
        """Read the object that starts here, with its binary header if it has one.

        Raises:
            KaldiError: no such object. The caller adds file and key, and, unless `minikaldi.io.places.malformed` made
                the error, the byte at which the reading stopped.
        """

    def write(self, stream: Writer, value: T, binary: bool) -> None:
        """The object with its header."""


class MatrixHolder:
    """Matrices of one float type. Any form is read.

    Args:
        dtype: type of the arrays, and of what is written.
        compression_method: how binary matrices are compressed, 1 to 7; None: they are not.
    """

    def __init__(self, dtype: npt.DTypeLike, compression_method: int | None = None) -> None:
        self.what = "matrix"
        self.dtype = np.dtype(dtype)
        self.compression_method = compression_method

    def read(self, stream: Reader) -> npt.NDArray[Any]:
        """Read a matrix (rows, cols)."""
        return read_matrix(stream, read_binary_header(stream), self.dtype)

    def write(self, stream: Writer, value: npt.NDArray[Any], binary: bool) -> None:
        """Write `value` (rows, cols), converted to the holder's type."""
        write_binary_header(stream, binary)
        matrix = np.asarray(value, dtype=self.dtype)
        if self.compression_method is None:
            write_matrix(stream, matrix, binary)
        elif binary:
            write_compressed(stream, matrix, self.compression_method)
        else:  # text shows the values of the compressed form, as in Kaldi
            packed = io.BytesIO()
            write_compressed(packed, matrix, self.compression_method)
            write_matrix(stream, read_matrix(io.BufferedReader(io.BytesIO(packed.getvalue())), True), False)


class VectorHolder:
    """Vectors of one float type; float and double are read."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.what = "vector"
        self.dtype = np.dtype(dtype)

    def read(self, stream: Reader) -> npt.NDArray[Any]:
        """Read a vector (dim,)."""
        return read_vector_object(stream, self.dtype)

    def write(self, stream: Writer, value: npt.NDArray[Any], binary: bool) -> None:
        """Write `value` (dim,), converted to the holder's type."""
        write_binary_header(stream, binary)
        write_vector(stream, np.asarray(value, dtype=self.dtype), binary)


class IntHolder:
    """One int32; in text it is alone on its line, and, as in Kaldi, the line has an end."""

    what = "integer"

    def read(self, stream: Reader) -> int:
        """An integer."""
        if read_binary_header(stream):
            return read_int32(stream, True)
        word, back = _single_word(stream, self.what)
        return _convert(to_int32, word, self.what, stream, back)

    def write(self, stream: Writer, value: int, binary: bool) -> None:
        """The integer, and in text the end of the line."""
        write_binary_header(stream, binary)
        write_int32(stream, value, binary)
        _end_line(stream, binary)


class FloatHolder:
    """One float32 or double (both are read); in text it is alone on its line."""

    what = "number"

    def __init__(self, double: bool = False) -> None:
        self._double = double

    def read(self, stream: Reader) -> float:
        """A number."""
        if read_binary_header(stream):
            return read_float(stream, True)
        word, back = _single_word(stream, self.what)
        return _convert(to_float, word, self.what, stream, back)

    def write(self, stream: Writer, value: float, binary: bool) -> None:
        """The number, and in text the end of the line."""
        write_binary_header(stream, binary)
        write_float(stream, value, binary, self._double)
        _end_line(stream, binary)


class BoolHolder:
    """One boolean: T or F."""

    what = "truth value (T or F)"

    def read(self, stream: Reader) -> bool:
        """True or False."""
        if read_binary_header(stream):
            word, back = read_exactly(stream, 1, self.what), 1
        else:
            word, back = _single_word(stream, self.what)
        if word not in (b"T", b"F"):
            raise malformed(stream, f"expected T or F, found {excerpt(word)}", back)
        return word == b"T"

    def write(self, stream: Writer, value: bool, binary: bool) -> None:
        """T or F, and in text the end of the line."""
        write_binary_header(stream, binary)
        stream.write((b"T" if value else b"F") + (b"" if binary else b" "))
        _end_line(stream, binary)


class TokenHolder:
    """One word on its line (utt2spk); always text."""

    what = "word"

    def read(self, stream: Reader) -> str:
        """The word."""
        return decode(_single_word(stream, self.what)[0])

    def write(self, stream: Writer, value: str, binary: bool) -> None:
        """The word and the end of the line."""
        stream.write(encode(value) + b"\n")


class TokenVectorHolder:
    """The words of a line (spk2utt); always text."""

    what = "list of words"

    def read(self, stream: Reader) -> list[str]:
        """The words, possibly none."""
        return [decode(word) for word in read_line(stream, self.what).split()]

    def write(self, stream: Writer, value: list[str], binary: bool) -> None:
        """The words, each with a space after it, and the end of the line."""
        stream.write(encode("".join(f"{word} " for word in value)) + b"\n")


class IntVectorHolder:
    """A list of int32 (alignments)."""

    what = "list of integers"

    def read(self, stream: Reader) -> list[int]:
        """The integers."""
        if read_binary_header(stream):
            items: npt.NDArray[Any] = read_array(stream, _SIZED_INT32, read_int32(stream, True), self.what)
            wrong = items["size"] != 4
            if wrong.any():
                first = int(wrong.argmax())
                found = f"expected 4-byte integers in the list, found one of {items['size'][first]} bytes"
                raise malformed(stream, found, items.nbytes - first * items.itemsize)
            return [int(value) for value in items["value"]]
        line = read_line(stream, self.what)
        return [
            _convert(to_int32, found[0], self.what, stream, len(line) - found.start())
            for found in re.finditer(rb"\S+", line)
        ]

    def write(self, stream: Writer, value: list[int], binary: bool) -> None:
        """The integers, with their number before them in binary."""
        write_binary_header(stream, binary)
        if binary:
            write_int32(stream, len(value), True)
        for number in value:
            write_int32(stream, number, binary)
        _end_line(stream, binary)


def compressed_matrix(method: int) -> MatrixHolder:
    """A holder that compresses matrices by Kaldi's method 1 to 7 (1 chooses by the number of rows)."""
    return MatrixHolder(np.float32, method)


def _single_word(stream: Reader, what: str) -> tuple[bytes, int]:
    """The only word of the line, and the line's length in bytes, for errors."""
    line = read_line(stream, what)
    words = line.split()
    if len(words) != 1:
        found = f"found {len(words)}: {excerpt(b' '.join(words))}"
        raise malformed(stream, f"expected one {what} on the line, {found}", len(line))
    return words[0], len(line)


def _convert(convert: Callable[[bytes], N], word: bytes, what: str, stream: Reader, back: int) -> N:
    try:
        return convert(word)
    except ValueError as exc:
        raise malformed(stream, f"expected {what}, found {excerpt(word)}", back) from exc


def _end_line(stream: Writer, binary: bool) -> None:
    if not binary:
        stream.write(b"\n")


FLOAT_MATRIX = MatrixHolder(np.float32)
DOUBLE_MATRIX = MatrixHolder(np.float64)
FLOAT_VECTOR = VectorHolder(np.float32)
DOUBLE_VECTOR = VectorHolder(np.float64)
INT32 = IntHolder()
FLOAT = FloatHolder()
DOUBLE = FloatHolder(double=True)
BOOL = BoolHolder()
TOKEN = TokenHolder()
TOKEN_VECTOR = TokenVectorHolder()
INT32_VECTOR = IntVectorHolder()
