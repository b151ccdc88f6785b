"""From a diagonal mixture to a full-covariance one and back."""

from __future__ import annotations

import numpy as np

from minikaldi.gmm.diag_gmm import DiagGmm, diag_gmm_of_moments
from minikaldi.gmm.full_gmm import FullGmm, full_gmm
from minikaldi.gmm.triangles import triangle_indices


def full_of_diag(gmm: DiagGmm) -> FullGmm:
    """The same mixture; outside of the diagonal its covariances are 0. Source: FullGmm::CopyFromDiagGmm."""
    rows, cols = triangle_indices(gmm.dim)
    inv_covars = np.zeros((gmm.num_gauss, rows.size), np.float32)
    inv_covars[:, np.flatnonzero(rows == cols)] = gmm.inv_vars
    return full_gmm(gmm.weights, gmm.means_invvars, inv_covars)


def diag_of_full(gmm: FullGmm) -> DiagGmm:
    """The mixture with the diagonals of the covariances. Source: DiagGmm::CopyFromFullGmm."""
    return diag_gmm_of_moments(gmm.weights, gmm.means(), np.diagonal(gmm.covars(), axis1=1, axis2=2))
