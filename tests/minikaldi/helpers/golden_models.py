"""Reading any binary model or statistics file of Kaldi's: tokens, each with numbers, vectors and matrices after it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.io.primitives import Reader

_FLOATS = {"F": np.dtype("<f4"), "D": np.dtype("<f8")}
_NUMBERS = {1: "<b", 2: "<h", -2: "<H", 4: "<i", 8: "<d"}


def model_parts(stream: Reader) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    """(token, kind, numbers) of each part after the binary header; kind is FV, FM, FP, DV … or the size of a number.

    A number of four bytes is taken for an integer: as bits of a float its order is the same.
    """
    token, data = "", stream.read()
    at = 0
    while at < len(data):
        if data[at : at + 1] == b"<":
            end = data.index(b" ", at)
            token, at = data[at:end].decode(), end + 1
            continue
        kind = data[at : at + 2].decode(errors="replace")
        if data[at + 2 : at + 3] == b" " and kind[0] in _FLOATS and kind[1] in "VMP":
            shape, at = _shape(data, at + 3, kind[1])
            count = shape[0] * (shape[0] + 1) // 2 if kind[1] == "P" else int(np.prod(shape))
            values = np.frombuffer(data, _FLOATS[kind[0]], count, at)
            yield token, kind, values if kind[1] == "P" else values.reshape(shape)
            at += values.nbytes
            continue
        size = struct.unpack_from("<b", data, at)[0]
        yield token, str(size), np.array(struct.unpack_from(_NUMBERS[size], data, at + 1))
        at += 1 + abs(size)


def _shape(data: bytes, at: int, kind: str) -> tuple[tuple[int, ...], int]:
    """The dimensions that begin here, and where they end."""
    dims = 2 if kind == "M" else 1
    return tuple(struct.unpack_from("<i", data, at + 1 + 5 * i)[0] for i in range(dims)), at + 5 * dims
