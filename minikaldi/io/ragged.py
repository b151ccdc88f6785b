r"""Lists of indices per frame, and posteriors per frame, as arrays.

Source: Kaldi util/kaldi-holder-inl.h (BasicVectorVectorHolder, for the Gaussians that gmm-gselect selects) and
hmm/posterior.{h,cc}. In binary both are records of five bytes: a size byte 4 and an integer or a float. In text
selections are `2 4 ; 6 1 ; \n`, posteriors as in `minikaldi.io.posteriors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.io.places import malformed
from minikaldi.io.posteriors import POSTERIOR, Posterior
from minikaldi.io.primitives import (
    Reader,
    Writer,
    excerpt,
    read_binary_header,
    read_exactly,
    read_int32,
    read_line,
    to_int32,
    write_binary_header,
    write_int32,
)

Int32Array = npt.NDArray[np.int32]
Float32Array = npt.NDArray[np.float32]
_RECORD = np.dtype([("size", "i1"), ("value", "<i4")])
_INT_BYTES = 4


@dataclass(frozen=True)
class FrameIndices:
    """Some indices for each frame.

    Attributes:
        counts: (T,), how many each frame has.
        indices: (N,), those of the first frame, of the second, ….
    """

    counts: Int32Array
    indices: Int32Array

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.counts)


@dataclass(frozen=True)
class FramePosteriors(FrameIndices):
    """Some indices for each frame, each with its share.

    Attributes:
        shares: (N,).
    """

    shares: Float32Array


class GselectHolder:
    """The selected Gaussians of each frame, from best to worst."""

    what = "Gaussian selection"

    def read(self, stream: Reader) -> FrameIndices:
        """The frames, possibly none."""
        if read_binary_header(stream):
            counts, values = _read_records(stream, 1, self.what)
            return FrameIndices(counts, values)
        line = read_line(stream, self.what)
        words = line.split()
        if words and words[-1] != b";":
            raise malformed(stream, f"{self.what}: expected ';' at the end of the line", len(line))
        frames = [part.split() for part in line.split(b";")[:-1]]
        try:
            indices = [to_int32(word) for frame in frames for word in frame]
        except ValueError as exc:
            raise malformed(stream, f"{self.what}: expected integers, found {excerpt(str(exc))}", len(line)) from exc
        return FrameIndices(np.array([len(frame) for frame in frames], np.int32), np.array(indices, np.int32))

    def write(self, stream: Writer, value: FrameIndices, binary: bool) -> None:
        """Write the frames; in text one line."""
        write_binary_header(stream, binary)
        if binary:
            _write_records(stream, value.counts, value.indices)
            return
        words, at = value.indices.tolist(), 0
        for count in value.counts.tolist():
            stream.write("".join(f"{index} " for index in words[at : at + count]).encode() + b"; ")
            at += count
        stream.write(b"\n")


class PosteriorArraysHolder:
    """What `minikaldi.io.POSTERIOR` reads and writes, as arrays: a hundred times faster."""

    what = POSTERIOR.what

    def read(self, stream: Reader) -> FramePosteriors:
        """The frames, possibly none."""
        if stream.peek(1)[:1] != b"\0":
            return _arrays_of(POSTERIOR.read(stream))
        read_binary_header(stream)
        counts, values = _read_records(stream, 2, self.what)
        return FramePosteriors(counts, values[::2].copy(), values[1::2].copy().view(np.float32))

    def write(self, stream: Writer, value: FramePosteriors, binary: bool) -> None:
        """Write the frames; in text one line."""
        if not binary:
            POSTERIOR.write(stream, _pairs_of(value), False)
            return
        write_binary_header(stream, binary)
        pairs = np.empty((len(value.indices), 2), np.int32)
        pairs[:, 0], pairs[:, 1] = value.indices, value.shares.view(np.int32)
        _write_records(stream, value.counts, pairs.reshape(-1), per_entry=2)


def _arrays_of(frames: Posterior) -> FramePosteriors:
    pairs = [pair for frame in frames for pair in frame]
    return FramePosteriors(
        np.array([len(frame) for frame in frames], np.int32),
        np.array([index for index, _ in pairs], np.int32),
        np.array([share for _, share in pairs], np.float32),
    )


def _pairs_of(value: FramePosteriors) -> Posterior:
    pairs = list(zip(value.indices.tolist(), value.shares.tolist(), strict=True))
    ends = np.cumsum(value.counts).tolist()
    return [pairs[end - count : end] for end, count in zip(ends, value.counts.tolist(), strict=True)]


def _read_records(stream: Reader, per_entry: int, what: str) -> tuple[Int32Array, Int32Array]:
    """The counts (T,) and the other values (N * per_entry,) of a binary object, after its header.

    Only what the stream has in its buffer is looked at, so nothing after the object is consumed.
    """
    frames = read_int32(stream, True)
    if frames < 0:
        raise malformed(stream, f"{what}: the header claims {frames} frames", 5)
    counts: list[int] = []
    blocks: list[npt.NDArray[Any]] = []
    of_counts: list[npt.NDArray[np.bool_]] = []
    begin = 0  # of the next frame, in records after the block's first
    while len(counts) < frames or begin:
        data = stream.peek(_RECORD.itemsize)
        buffered = len(data) >= _RECORD.itemsize
        if not buffered:
            data = read_exactly(stream, _RECORD.itemsize, what)
        block = np.frombuffer(data, _RECORD, len(data) // _RECORD.itemsize)
        is_count = np.zeros(len(block), np.bool_)
        begin = _walk(block["value"], is_count, begin, frames, per_entry, counts)
        if counts and counts[-1] < 0:
            raise malformed(stream, f"{what}: a frame claims {counts[-1]} elements")
        used = min(begin, len(block)) if len(counts) == frames else len(block)
        begin -= used
        if buffered:
            stream.read(used * _RECORD.itemsize)
        if (block["size"][:used] != _INT_BYTES).any():
            raise malformed(stream, f"{what}: expected numbers of 4 bytes", used * _RECORD.itemsize)
        blocks.append(block["value"][:used])
        of_counts.append(is_count[:used])
    values = np.concatenate(blocks) if blocks else np.zeros(0, np.int32)
    others = ~np.concatenate(of_counts) if of_counts else np.zeros(0, np.bool_)
    return np.array(counts, np.int32), values[others].astype(np.int32, copy=False)


def _walk(
    values: npt.NDArray[Any],
    is_count: npt.NDArray[np.bool_],
    begin: int,
    frames: int,
    per_entry: int,
    counts: list[int],
) -> int:
    """Mark the counts of a block, append them, and return where the frame after it begins."""
    at, size = begin, len(values)
    while at < size and len(counts) < frames:
        count = int(values[at])
        is_count[at] = True
        counts.append(count)
        if count < 0:
            break
        at += 1 + per_entry * count
    return at


def _write_records(stream: Writer, counts: Int32Array, values: Int32Array, per_entry: int = 1) -> None:
    """The number of frames, then each frame's count and values."""
    write_int32(stream, len(counts), True)
    records = np.empty(len(counts) + len(values), _RECORD)
    records["size"] = _INT_BYTES
    sizes = counts.astype(np.int64) * per_entry
    at = np.cumsum(sizes) - sizes + np.arange(len(counts))
    is_count = np.zeros(len(records), np.bool_)
    is_count[at] = True
    records["value"][is_count] = counts
    records["value"][~is_count] = values
    stream.write(records.tobytes())


GSELECT = GselectHolder()
POSTERIOR_ARRAYS = PosteriorArraysHolder()
