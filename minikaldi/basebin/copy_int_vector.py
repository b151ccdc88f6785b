"""copy-int-vector. Source: Kaldi bin/copy-int-vector.cc.

The form of a vector in a file is not that in a table: `[ 1 2 3 ]` in text, and in binary one size and then the bytes of
all elements (Kaldi base/io-funcs-inl.h, WriteIntegerVector).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import INT32_VECTOR, Reader, Writer, are_tables, read_binary_header, write_binary_header
from minikaldi.io.primitives import read_array, read_exactly, read_token, to_int32
from minikaldi.options import CommandOptions

_INT32_BYTES = 4


@dataclass
class CopyIntVectorOptions(CommandOptions):
    """The form of the copy."""

    binary: bool = option(True, "Write in binary mode (only relevant if output is a file)")


class IntVectorFileHolder:
    """A list of int32 that is a file of its own."""

    what = "list of integers"

    def read(self, stream: Reader) -> list[int]:
        """Read the integers."""
        if not read_binary_header(stream):
            return self._read_text(stream)
        size, count = struct.unpack("<bi", read_exactly(stream, 5, self.what))
        if size != _INT32_BYTES or count < 0:
            raise KaldiError(f"expected a list of 4-byte integers, found {count} elements of {size} bytes")
        return [int(value) for value in read_array(stream, "<i4", count, self.what).astype(np.int32)]

    def _read_text(self, stream: Reader) -> list[int]:
        found, numbers = read_token(stream), []
        if found != "[":
            raise KaldiError(f"expected '[' and integers, found {found[:80]!r}")
        while (word := read_token(stream)) != "]":
            try:
                numbers.append(to_int32(word))
            except ValueError as error:
                raise KaldiError(f"expected an integer or ']', found {word[:80]!r}") from error
        return numbers

    def write(self, stream: Writer, value: list[int], binary: bool) -> None:
        """Write the integers."""
        write_binary_header(stream, binary)
        if binary:
            stream.write(struct.pack("<bi", _INT32_BYTES, len(value)) + np.array(value, "<i4").tobytes())
        else:
            stream.write(("[ " + "".join(f"{number} " for number in value) + "]\n").encode())


@command(
    "copy-int-vector",
    usage="[options] (vector-in-rspecifier|vector-in-rxfilename) (vector-out-wspecifier|vector-out-wxfilename)",
    num_args=(2, 2),
    options=CopyIntVectorOptions,
    about="Copy vectors of integers (alignments), possibly changing their format.",
)
def main(run: CommandRun, options: CopyIntVectorOptions, args: list[str]) -> int:
    """Copy a table or a single vector; returns 0 if at least one was copied."""
    if not are_tables(*args):
        holder = IntVectorFileHolder()
        run.write_object(args[1], holder, run.read_object(args[0], holder), options.binary)
        run.log(f"Copied vector to {args[1]}")
        return 0
    done = 0
    with run.sequential(args[0], INT32_VECTOR) as vectors, run.writer(args[1], INT32_VECTOR) as copies:
        for key, vector in vectors:
            copies.write(key, vector)
            done += 1
    run.log(f"Copied {done} vectors of int32.")
    return 0 if done else 1
