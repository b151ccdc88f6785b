"""The form of a PLDA model in a file: `<Plda> mean transform psi </Plda>`, binary or text, all double."""

from __future__ import annotations

from common.errors import KaldiError
from minikaldi.io import (
    Reader,
    Writer,
    expect_token,
    read_binary_header,
    read_matrix,
    read_vector,
    write_binary_header,
    write_matrix,
    write_token,
    write_vector,
)
from minikaldi.ivector.plda import Plda


class PldaHolder:
    """Reads and writes a model. Source: Plda::Read and Plda::Write in ivector/plda.cc."""

    what = "PLDA model"

    def read(self, stream: Reader) -> Plda:
        """Read the model that starts here.

        Raises:
            KaldiError: no model, a truncated one, or one whose parts do not fit together.
        """
        binary = read_binary_header(stream)
        expect_token(stream, "<Plda>")
        mean = read_vector(stream, binary, "float64")
        transform = read_matrix(stream, binary, "float64")
        psi = read_vector(stream, binary, "float64")
        expect_token(stream, "</Plda>")
        if transform.shape != (mean.size, mean.size) or psi.shape != mean.shape:
            raise KaldiError(
                f"PLDA model has mean {mean.shape}, transform {transform.shape} and psi {psi.shape}; "
                "expected (D,), (D, D) and (D,)"
            )
        return Plda(mean, transform, psi)

    def write(self, stream: Writer, value: Plda, binary: bool) -> None:
        """Write the model with its header."""
        write_binary_header(stream, binary)
        write_token(stream, "<Plda>")
        write_vector(stream, value.mean, binary)
        write_matrix(stream, value.transform, binary)
        write_vector(stream, value.psi, binary)
        write_token(stream, "</Plda>")


PLDA = PldaHolder()
