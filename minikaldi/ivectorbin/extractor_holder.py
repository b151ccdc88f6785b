"""The form of an i-vector extractor in a file: `<IvectorExtractor> … </IvectorExtractor>`, binary or text, all double.

Source: IvectorExtractor::Read and IvectorExtractor::Write in ivector/ivector-extractor.cc.
"""

from __future__ import annotations

import numpy as np

from common.errors import KaldiError
from minikaldi.gmm.triangles import Float64Array
from minikaldi.io import (
    Reader,
    Writer,
    expect_token,
    read_binary_header,
    read_float,
    read_int32,
    read_matrix,
    read_vector,
    write_binary_header,
    write_float,
    write_int32,
    write_matrix,
    write_token,
    write_vector,
)
from minikaldi.io.packed import read_packed, write_packed
from minikaldi.io.places import malformed
from minikaldi.ivector.extractor import IvectorExtractor


class ExtractorHolder:
    """Reads and writes a model."""

    what = "i-vector extractor"

    def read(self, stream: Reader) -> IvectorExtractor:
        """Read the model that starts here.

        Raises:
            KaldiError: no model, a truncated one, or one whose parts do not fit together.
        """
        binary = read_binary_header(stream)
        expect_token(stream, "<IvectorExtractor>")
        expect_token(stream, "<w>")
        weight_projections = read_matrix(stream, binary, np.float64)
        expect_token(stream, "<w_vec>")
        weights = read_vector(stream, binary, np.float64)
        expect_token(stream, "<M>")
        projections = read_matrices(stream, binary, "projection")
        expect_token(stream, "<SigmaInv>")
        inv_covars = read_triangles(stream, binary, len(projections), "inverse covariance")
        expect_token(stream, "<IvectorOffset>")
        offset = read_float(stream, binary)
        expect_token(stream, "</IvectorExtractor>")
        return IvectorExtractor(projections, inv_covars, weights, weight_projections, offset)

    def write(self, stream: Writer, value: IvectorExtractor, binary: bool) -> None:
        """Write the model with its header."""
        write_binary_header(stream, binary)
        write_token(stream, "<IvectorExtractor>")
        write_token(stream, "<w>")
        write_matrix(stream, value.weight_projections, binary)
        write_token(stream, "<w_vec>")
        write_vector(stream, value.weights, binary)
        write_token(stream, "<M>")
        write_int32(stream, value.num_gauss, binary)
        for projection in value.projections:
            write_matrix(stream, projection, binary)
        write_token(stream, "<SigmaInv>")
        for triangle in value.inv_covars:
            write_packed(stream, triangle, binary)
        write_token(stream, "<IvectorOffset>")
        write_float(stream, value.prior_offset, binary, double=True)
        write_token(stream, "</IvectorExtractor>")


def read_matrices(stream: Reader, binary: bool, what: str) -> Float64Array:
    """Read a number and so many matrices (F, I) of equal shape, at least one, as (M, F, I).

    Raises:
        KaldiError: there is none, or they differ in shape; `what` names them in the message.
    """
    count = read_int32(stream, binary)
    if count < 1:
        raise malformed(stream, f"the header claims {count} matrices ({what}); expected at least 1", 5 if binary else 0)
    first = read_matrix(stream, binary, np.float64)
    if not first.size:
        raise malformed(stream, f"{what} of Gaussian 0 is empty")
    matrices = _claimed((count, *first.shape), stream, what)
    matrices[0] = first
    for gauss in range(1, count):
        matrix = read_matrix(stream, binary, np.float64)
        if matrix.shape != first.shape:
            found = f"{what} of Gaussian {gauss} has the shape {matrix.shape}, that of Gaussian 0 {first.shape}"
            raise malformed(stream, found)
        matrices[gauss] = matrix
    return matrices


def _claimed(shape: tuple[int, ...], stream: Reader, what: str) -> Float64Array:
    """An array of a size that a header claims; the system gives its memory only as it is written.

    Raises:
        KaldiError: there is not so much.
    """
    try:
        return np.empty(shape)
    except (MemoryError, ValueError) as error:
        raise malformed(stream, f"the header claims {shape[0]} matrices ({what}), more than fit into memory") from error


def read_triangles(stream: Reader, binary: bool, count: int, what: str) -> Float64Array:
    """Read `count` lower triangles of equal size, as (M, F(F+1)/2); `what` names them in messages.

    Raises:
        KaldiError: they differ in size.
    """
    triangles: list[Float64Array] = []
    for gauss in range(count):
        triangles.append(read_packed(stream, binary, np.float64))
        if triangles[-1].size != triangles[0].size:
            raise KaldiError(
                f"{what} of Gaussian {gauss} has {triangles[-1].size} elements, that of Gaussian 0 {triangles[0].size}"
            )
    return np.stack(triangles) if triangles else np.zeros((0, 0))


EXTRACTOR = ExtractorHolder()
