"""What the files of statistics of diagonal and of full-covariance mixtures have in common.

`<GMMACCS> <VECSIZE> F <NUMCOMPONENTS> M <FLAGS> n <OCCUPANCY> vector <MEANACCS> matrix …`, all float32.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.flags import GmmFlags, flag_letters
from minikaldi.gmm.triangles import Float64Array
from minikaldi.io import Reader, Writer, expect_token, read_int32, write_int32, write_matrix, write_token, write_vector
from minikaldi.io.places import malformed
from minikaldi.io.primitives import read_exactly

_UNSIGNED_SHORT = -2  # the size byte of an unsigned number is negative
StatsHeader = tuple[int, int, GmmFlags]
"""Dimensions of a frame, number of Gaussians, flags."""


def read_stats_header(stream: Reader, binary: bool) -> StatsHeader:
    """The sizes and flags at the beginning.

    Raises:
        KaldiError: no statistics of a mixture.
    """
    expect_token(stream, "<GMMACCS>")
    expect_token(stream, "<VECSIZE>")
    dim = read_int32(stream, binary)
    expect_token(stream, "<NUMCOMPONENTS>")
    num_gauss = read_int32(stream, binary)
    expect_token(stream, "<FLAGS>")
    flags = _read_flags(stream) if binary else read_int32(stream, False)
    if dim < 1 or num_gauss < 1 or not 0 <= flags <= GmmFlags.ALL:
        raise KaldiError(f"statistics of {num_gauss} Gaussians of {dim} dimensions, flags {flags}: not of a mixture")
    return dim, num_gauss, GmmFlags(flags)


def _read_flags(stream: Reader) -> int:
    size, flags = struct.unpack("<bH", read_exactly(stream, 3, "flags"))
    if size != _UNSIGNED_SHORT:
        raise malformed(stream, f"expected flags of 2 bytes without sign, found size {size}", back=3)
    return int(flags)


def write_stats_header(stream: Writer, header: StatsHeader, binary: bool) -> None:
    """The inverse of `read_stats_header`."""
    dim, num_gauss, flags = header
    write_token(stream, "<GMMACCS>")
    for token, value in (("<VECSIZE>", dim), ("<NUMCOMPONENTS>", num_gauss)):
        write_token(stream, token)
        write_int32(stream, value, binary)
    write_token(stream, "<FLAGS>")
    stream.write(struct.pack("<bH", _UNSIGNED_SHORT, flags) if binary else b"%d " % flags)


def write_sums(stream: Writer, occupancy: Float64Array, sums: Float64Array, binary: bool) -> None:
    """The occupancies (M,) and the sums of the frames (M, F)."""
    write_token(stream, "<OCCUPANCY>")
    write_vector(stream, occupancy.astype(np.float32), binary)
    write_token(stream, "<MEANACCS>")
    write_matrix(stream, sums.astype(np.float32), binary)


def check_part(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Check the size of a part.

    Raises:
        KaldiError: it is not the one that the header claims.
    """
    if found != expected:
        raise KaldiError(f"statistics: {name} has the size {found}; expected {expected}")


def check_has_all(found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Check that every part was read.

    Raises:
        KaldiError: one is missing.
    """
    missing = [name for name in expected if name not in found]
    if missing:
        raise KaldiError(f"statistics: {' and '.join(missing)} missing; accumulate them again")


def check_same_header(ours: StatsHeader, other: StatsHeader) -> None:
    """Check that statistics can be added.

    Raises:
        KaldiError: other sizes or flags.
    """
    if ours != other:
        dim, num_gauss, flags = ours
        raise KaldiError(
            f"cannot add statistics of {other[1]} Gaussians of {other[0]} dimensions with the flags "
            f"{flag_letters(other[2])} to those of {num_gauss} Gaussians of {dim} dimensions with {flag_letters(flags)}"
        )


def check_stats_finite(occupancy: Float64Array, *sums: Float64Array) -> None:
    """Check that statistics are numbers.

    Args:
        occupancy: (M,).
        sums: (M, K) each, or empty.

    Raises:
        KaldiError: one is NaN or infinite; the text names its Gaussian.
    """
    for part in (occupancy[:, None], *sums):
        finite = np.isfinite(part).all(axis=1)
        if not finite.all():
            raise KaldiError(
                f"the statistics of Gaussian {int(finite.argmin())} hold NaN or infinity; check the features and the "
                "model for values that are too large, and accumulate them again"
            )


def check_fits_model(header: StatsHeader, dim: int, num_gauss: int) -> None:
    """Check that statistics are of a model's size.

    Raises:
        KaldiError: they are not.
    """
    if header[:2] != (dim, num_gauss):
        raise KaldiError(
            f"the statistics are of {header[1]} Gaussians of {header[0]} dimensions, the model has {num_gauss} of "
            f"{dim}; give the model under which they were accumulated"
        )
