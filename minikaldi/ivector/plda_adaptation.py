"""Unsupervised adaptation of PLDA to vectors of another domain, whose speakers are not known.

In the space where the model's total covariance is unit, the new vectors have directions with more variance than the
model expects; shares of the excess are added to the within- and to the between-speaker covariance. Directions of less
variance than expected stay as they are.

Source: Kaldi, ivector/plda.cc, PldaUnsupervisedAdaptor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import KaldiError
from common.options import option
from minikaldi.ivector.moments import Moments
from minikaldi.ivector.plda import Plda, plda_of_covariances
from minikaldi.ivector.vectors import Float64Array
from minikaldi.options import CommandOptions


@dataclass
class AdaptationOptions(CommandOptions):
    """The shares of the excess of variance. Source: PldaUnsupervisedAdaptorConfig in ivector/plda.h."""

    within_covar_scale: float = option(
        0.3, "Share of the excess of variance in the adaptation data that goes to the within-class covariance"
    )
    between_covar_scale: float = option(
        0.7, "Share of the excess of variance in the adaptation data that goes to the between-class covariance"
    )
    mean_diff_scale: float = option(
        1.0, "Factor by which the outer product of the difference of the means counts as variance of the data"
    )


@dataclass(frozen=True)
class AdaptedPlda:
    """An adapted model, and the variances along the directions of the data, in the order of falling eigenvalues.

    Attributes:
        plda: the new model.
        eigenvalues: (D,), variances of the data, in units of the old model's total variance.
        within: (D,), the old model's within-speaker part of the unit variance.
        between: (D,), the old model's between-speaker part.
    """

    plda: Plda
    eigenvalues: Float64Array
    within: Float64Array
    between: Float64Array


def adapt_plda(plda: Plda, moments: Moments, options: AdaptationOptions) -> AdaptedPlda:
    """The model with the mean of the added vectors and covariances raised to explain them.

    Args:
        plda: the model of another domain.
        moments: moments of the vectors, at least one, in the form in which they are scored.
        options: the shares.

    Raises:
        KaldiError: the dimension is not the model's, --mean-diff-scale is negative, or negative shares leave no
            covariance.
    """
    if options.mean_diff_scale < 0.0:
        raise KaldiError(f"--mean-diff-scale={options.mean_diff_scale:g} must not be negative")
    plda.check_dim(moments.dim)
    difference = moments.mean() - plda.mean
    total = moments.covariance() + options.mean_diff_scale * np.outer(difference, difference)
    to_unit = plda.transform / np.sqrt(1.0 + plda.psi)[:, None]  # the old total covariance becomes unit
    eigenvalues, directions = np.linalg.eigh(to_unit @ total @ to_unit.T)
    eigenvalues, directions = eigenvalues[::-1], directions[:, ::-1]
    within = directions.T @ (directions / (1.0 + plda.psi)[:, None])  # in the space of the directions
    between = np.eye(plda.dim) - within
    excess = np.diag(np.maximum(eigenvalues - 1.0, 0.0))
    back = np.linalg.inv(directions.T @ to_unit)
    adapted = plda_of_covariances(
        moments.mean(),
        back @ (within + options.within_covar_scale * excess) @ back.T,
        back @ (between + options.between_covar_scale * excess) @ back.T,
    )
    return AdaptedPlda(adapted, eigenvalues, np.diag(within).copy(), np.diag(between).copy())
