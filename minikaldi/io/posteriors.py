"""Posteriors: for each frame the indices (of states or Gaussians) that share it, each with its share or vector of
shares.

Source: Kaldi hmm/posterior.{h,cc} (Posterior, GaussPost). In text a posterior is a line: `[ 2 0.75 6 0.25 ] [ 6 1 ] `.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.io.matrices import converted, read_vector, write_vector
from minikaldi.io.places import malformed
from minikaldi.io.primitives import (
    Reader,
    Writer,
    excerpt,
    read_array,
    read_binary_header,
    read_int32,
    read_line,
    to_float,
    to_int32,
    write_binary_header,
    write_int32,
)

Posterior = list[list[tuple[int, float]]]
GaussPosterior = list[list[tuple[int, npt.NDArray[np.float32]]]]

_PAIR = np.dtype([("index_size", "i1"), ("index", "<i4"), ("share_size", "i1"), ("share", "<f4")])
_WORD = re.compile(rb"\S+")


class PosteriorHolder:
    """A list of frames, each a list of (index, share)."""

    what = "posterior"

    def read(self, stream: Reader) -> Posterior:
        """The frames, possibly none."""
        if not read_binary_header(stream):
            return self._read_text(stream)
        return [self._read_frame(stream) for _ in range(_read_count(stream))]

    def _read_frame(self, stream: Reader) -> list[tuple[int, float]]:
        pairs: npt.NDArray[Any] = read_array(stream, _PAIR, _read_count(stream), "frame of a posterior")
        if (pairs["index_size"] != 4).any() or (pairs["share_size"] != 4).any():
            raise malformed(stream, "expected 4-byte integers and 4-byte numbers in a posterior", pairs.nbytes)
        return list(zip(pairs["index"].tolist(), pairs["share"].tolist(), strict=True))

    def _read_text(self, stream: Reader) -> Posterior:
        line = read_line(stream, self.what)
        frames: Posterior = []
        words = _WORD.finditer(line)
        for word in words:
            if word[0] != b"[":
                found = f"{self.what}: expected '[', found {excerpt(word[0])}"
                raise malformed(stream, found, len(line) - word.start())
            frames.append([])
            for index in words:
                if index[0] == b"]":
                    break
                try:
                    frames[-1].append((to_int32(index[0]), _float32(next(words)[0])))
                except (ValueError, StopIteration) as exc:
                    found = (
                        f"{self.what}: expected an index and a number, found {excerpt(line[index.start() :].rstrip())}"
                    )
                    raise malformed(stream, found, len(line) - index.start()) from exc
            else:
                raise malformed(stream, f"{self.what}: the line ends before its ']'", len(line) - word.start())
        return frames

    def write(self, stream: Writer, value: Posterior, binary: bool) -> None:
        """Write the frames; in text one line."""
        write_binary_header(stream, binary)
        if not binary:
            frames = (" ".join(["[", *(f"{index} {share:.7g}" for index, share in frame), "] "]) for frame in value)
            stream.write(("".join(frames) + "\n").encode())
            return
        write_int32(stream, len(value), True)
        for frame in value:
            write_int32(stream, len(frame), True)
            pairs = np.empty(len(frame), dtype=_PAIR)
            pairs["index_size"] = pairs["share_size"] = 4
            pairs["index"], pairs["share"] = [index for index, _ in frame], [share for _, share in frame]
            stream.write(pairs.tobytes())


class GaussPosteriorHolder:
    """A list of frames, each a list of (index, vector of shares)."""

    what = "Gaussian-level posterior"

    def read(self, stream: Reader) -> GaussPosterior:
        """The frames, possibly none."""
        binary = read_binary_header(stream)
        return [
            [(read_int32(stream, binary), read_vector(stream, binary)) for _ in range(_read_count(stream, binary))]
            for _ in range(_read_count(stream, binary))
        ]

    def write(self, stream: Writer, value: GaussPosterior, binary: bool) -> None:
        """Write the frames, with their number before them in text too."""
        write_binary_header(stream, binary)
        write_int32(stream, len(value), binary)
        for frame in value:
            write_int32(stream, len(frame), binary)
            for index, shares in frame:
                write_int32(stream, index, binary)
                write_vector(stream, np.asarray(shares, dtype=np.float32), binary)
        if not binary:
            stream.write(b"\n")


def _read_count(stream: Reader, binary: bool = True) -> int:
    count = read_int32(stream, binary)
    if count < 0:
        raise malformed(stream, f"posterior: the header claims {count} elements", 5 if binary else 0)
    return count


def _float32(word: bytes) -> float:
    """A number, rounded to the float32 of the binary form."""
    return float(converted(np.array(to_float(word)), np.float32))


POSTERIOR = PosteriorHolder()
GAUSS_POSTERIOR = GaussPosteriorHolder()
