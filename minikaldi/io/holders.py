"""How each kind of object stands in a table or file: a `Holder` reads one from a stream and writes one to it.

Source: Kaldi util/kaldi-holder-inl.h.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from minikaldi.errors import KaldiError
from minikaldi.io.compressed import write_compressed
from minikaldi.io.matrices import read_matrix, read_vector, write_matrix, write_vector
from minikaldi.io.primitives import (
    Reader,
    Writer,
    encode,
    read_array,
    read_binary_header,
    read_float,
    read_int32,
    write_binary_header,
    write_float,
    write_int32,
)
from minikaldi.io.wave import Wave, WaveHeader, read_wave, read_wave_header, write_wave

T = TypeVar("T")
N = TypeVar("N", int, float, bool)
_SIZED_INT32 = np.dtype([("size", "i1"), ("value", "<i4")])


class Holder(Protocol[T]):
    """Reads and writes one kind of object; `what` names it in messages."""

    what: str

    def read(self, stream: Reader) -> T:
        """The object that starts here, its binary header (if it has one) included."""

    def write(self, stream: Writer, value: T, binary: bool) -> None:
        """The object with its header."""


class MatrixHolder:
    """Matrices of one float type; reads any form; writes its type, or compressed by `compression_method` if binary."""

    def __init__(self, dtype: npt.DTypeLike, compression_method: int | None = None) -> None:
        self.what = "matrix"
        self.dtype = np.dtype(dtype)
        self.compression_method = compression_method

    def read(self, stream: Reader) -> npt.NDArray[Any]:
        """(rows, cols)."""
        return read_matrix(stream, read_binary_header(stream), self.dtype)

    def write(self, stream: Writer, value: npt.NDArray[Any], binary: bool) -> None:
        """`value` (rows, cols), converted to the holder's type."""
        write_binary_header(stream, binary)
        matrix = np.asarray(value, dtype=self.dtype)
        if binary and self.compression_method is not None:
            write_compressed(stream, matrix, self.compression_method)
        else:
            write_matrix(stream, matrix, binary)


class VectorHolder:
    """Vectors of one float type; reads either."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.what = "vector"
        self.dtype = np.dtype(dtype)

    def read(self, stream: Reader) -> npt.NDArray[Any]:
        """(dim,)."""
        return read_vector(stream, read_binary_header(stream), self.dtype)

    def write(self, stream: Writer, value: npt.NDArray[Any], binary: bool) -> None:
        """`value` (dim,), converted to the holder's type."""
        write_binary_header(stream, binary)
        write_vector(stream, np.asarray(value, dtype=self.dtype), binary)


class IntHolder:
    """One int32; in text it has its line to itself."""

    what = "integer"

    def read(self, stream: Reader) -> int:
        """An integer."""
        if read_binary_header(stream):
            return read_int32(stream, True)
        return _convert(int, _single_word(stream, self.what), self.what)

    def write(self, stream: Writer, value: int, binary: bool) -> None:
        """The integer, and in text the end of the line."""
        write_binary_header(stream, binary)
        write_int32(stream, value, binary)
        _end_line(stream, binary)


class FloatHolder:
    """One float32 (a double is read too); in text it has its line to itself."""

    what = "number"

    def read(self, stream: Reader) -> float:
        """A number."""
        if read_binary_header(stream):
            return read_float(stream, True)
        return _convert(float, _single_word(stream, self.what), self.what)

    def write(self, stream: Writer, value: float, binary: bool) -> None:
        """The number, and in text the end of the line."""
        write_binary_header(stream, binary)
        write_float(stream, value, binary)
        _end_line(stream, binary)


class BoolHolder:
    """One truth value: T or F."""

    what = "truth value (T or F)"

    def read(self, stream: Reader) -> bool:
        """True or False."""
        word = stream.read(1).decode("latin-1") if read_binary_header(stream) else _single_word(stream, self.what)
        if word not in ("T", "F"):
            raise KaldiError(f"expected T or F, found {word!r}")
        return word == "T"

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
        return _single_word(stream, self.what)

    def write(self, stream: Writer, value: str, binary: bool) -> None:
        """The word and the end of the line."""
        stream.write(encode(value) + b"\n")


class TokenVectorHolder:
    """The words of a line (spk2utt); always text."""

    what = "list of words"

    def read(self, stream: Reader) -> list[str]:
        """The words, possibly none."""
        return _line(stream).split()

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
            if (items["size"] != 4).any():
                raise KaldiError("expected 4-byte integers in the list")
            return [int(value) for value in items["value"]]
        return [_convert(int, word, self.what) for word in _line(stream).split()]

    def write(self, stream: Writer, value: list[int], binary: bool) -> None:
        """The integers, with their number before them in binary."""
        write_binary_header(stream, binary)
        if binary:
            write_int32(stream, len(value), True)
        for number in value:
            write_int32(stream, number, binary)
        _end_line(stream, binary)


class WaveHolder:
    """RIFF waves; the same bytes in an archive as in a file."""

    what = "wave"

    def read(self, stream: Reader) -> Wave:
        """The recording."""
        return read_wave(stream)

    def write(self, stream: Writer, value: Wave, binary: bool) -> None:
        """The recording as 16-bit PCM."""
        if not binary:
            raise KaldiError("waves cannot be written as text; drop the 't' from the wspecifier")
        write_wave(stream, value)


class WaveHeaderHolder:
    """The header of a wave alone, where each wave is a file of its own: nothing of the samples is read."""

    what = "wave header"

    def read(self, stream: Reader) -> WaveHeader:
        """Rate, channels and size."""
        return read_wave_header(stream)

    def write(self, stream: Writer, value: WaveHeader, binary: bool) -> None:
        """Refused: a header without samples is no file."""
        raise KaldiError("a wave header cannot be written alone")


def compressed_matrix(method: int) -> MatrixHolder:
    """Matrices that are written compressed by Kaldi's method 1–7 (1 chooses by the number of rows)."""
    return MatrixHolder(np.float32, method)


def _line(stream: Reader) -> str:
    return stream.readline().decode("utf-8", "surrogateescape")


def _single_word(stream: Reader, what: str) -> str:
    words = _line(stream).split()
    if len(words) != 1:
        raise KaldiError(f"expected one {what} on the line, found {len(words)}: {' '.join(words)[:80]!r}")
    return words[0]


def _convert(kind: type[N], word: str, what: str) -> N:
    try:
        return kind(word)
    except ValueError as exc:
        raise KaldiError(f"expected {what}, found {word[:80]!r}") from exc


def _end_line(stream: Writer, binary: bool) -> None:
    if not binary:
        stream.write(b"\n")


FLOAT_MATRIX = MatrixHolder(np.float32)
DOUBLE_MATRIX = MatrixHolder(np.float64)
FLOAT_VECTOR = VectorHolder(np.float32)
DOUBLE_VECTOR = VectorHolder(np.float64)
INT32 = IntHolder()
FLOAT = FloatHolder()
BOOL = BoolHolder()
TOKEN = TokenHolder()
TOKEN_VECTOR = TokenVectorHolder()
INT32_VECTOR = IntVectorHolder()
WAVE = WaveHolder()
WAVE_HEADER = WaveHeaderHolder()
