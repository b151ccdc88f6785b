"""What the files of diagonal and of full-covariance mixtures have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.io import Reader, Writer, expect_token, read_token, read_vector
from minikaldi.io.places import malformed

ModelTokens = tuple[str, str, str, str]
"""The first token, its old form, the last token, its old form."""


def read_start(stream: Reader, tokens: ModelTokens) -> None:
    """Skip the first token of a model.

    Raises:
        KaldiError: another token was found.
    """
    _one_of(stream, tokens[0], tokens[1])


def read_end(stream: Reader, tokens: ModelTokens) -> None:
    """Skip the last token of a model.

    Raises:
        KaldiError: another token was found.
    """
    _one_of(stream, tokens[2], tokens[3])


def _one_of(stream: Reader, token: str, old_form: str) -> None:
    found = read_token(stream)
    if found not in (token, old_form):
        raise malformed(stream, f"expected the token {token}, found {found[:80]!r}", back=len(found) + 1)


def read_weights(stream: Reader, binary: bool) -> NDArray[np.float32]:
    """The weights (M,), after the constants, which a file may lack."""
    token = read_token(stream)
    if token == "<GCONSTS>":
        read_vector(stream, binary)
        expect_token(stream, "<WEIGHTS>")
    elif token != "<WEIGHTS>":
        raise malformed(stream, f"expected <GCONSTS> or <WEIGHTS>, found {token[:80]!r}", back=len(token) + 1)
    return read_vector(stream, binary)


def check_parts(what: str, weights: NDArray[np.floating], *others: NDArray[np.floating]) -> None:
    """Check that a model has Gaussians, and that its matrices (M, F) have the same size.

    Raises:
        KaldiError: they do not fit together.
    """
    shapes = {other.shape for other in others}
    if not weights.size or len(shapes) != 1 or others[0].shape[0] != weights.size:
        raise KaldiError(
            f"{what} has {weights.size} weights and matrices of {' and '.join(str(other.shape) for other in others)}; "
            "expected the same number of Gaussians, one at least"
        )


def line_end(stream: Writer, binary: bool) -> None:
    """The line end that text has after the first and the last token."""
    if not binary:
        stream.write(b"\n")
