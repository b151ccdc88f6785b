"""Options that the commands with a PLDA model share, and their effect on vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.ivector.plda import Plda, normalization_factors
from minikaldi.ivector.vectors import Float64Array
from minikaldi.options import CommandOptions


@dataclass
class PldaOptions(CommandOptions):
    """The normalisation of vectors in the model's space. Source: PldaConfig in ivector/plda.h."""

    normalize_length: bool = option(True, "If true, do length normalization as part of PLDA")
    simple_length_normalization: bool = option(
        False, "If true, normalize to length sqrt(dim) in the transformed space, rather than by the expected variance"
    )


def to_model_space(
    plda: Plda,
    vectors: NDArray[np.floating],
    num_examples: NDArray[np.integer],
    options: PldaOptions,
    keys: Sequence[str],
) -> tuple[Float64Array, Float64Array]:
    """Vectors in the model's space, normalised if wanted, (N, D), and the normalisation factors, (N,).

    Args:
        plda: the model.
        vectors: (N, D).
        num_examples: (N,) utterances averaged into each.
        options: the normalisation.
        keys: N names for messages.

    Raises:
        KaldiError: the vectors do not have the model's dimension, or one of them is the model's mean and has no length.
    """
    projected = plda.project(vectors)
    factors = normalization_factors(projected, plda.psi, num_examples, options.simple_length_normalization)
    if not options.normalize_length:
        return projected, factors
    if not np.isfinite(factors).all():
        key = keys[int(np.flatnonzero(~np.isfinite(factors))[0])]
        raise KaldiError(
            f"{key}: the vector is the mean of the PLDA model, so its length cannot be normalised; leave it out, or "
            "set --normalize-length=false"
        )
    return projected * factors[:, None], factors
