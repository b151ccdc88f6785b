"""The equation of one utterance's vector in float64, from the parameters themselves.

It is for utterances whose precision has a high condition: there the products in float32 lose the prior. Such an
utterance has many frames of so few Gaussians that they alone do not determine its vector.
"""

from __future__ import annotations

import numpy as np

from minikaldi.gmm.triangles import Float64Array, unpacked
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.utterance_stats import BatchStats

_BLOCK = 16  # Gaussians; their projections of 72 x 400 are 4 MB


def exact_equation(terms: ExtractorTerms, stats: BatchStats, row: int) -> tuple[Float64Array, Float64Array]:
    """The precision (I, I) and the linear term (I,) of a row: I + Σ N_i M_iᵀ Σ_i⁻¹ M_i and Σ M_iᵀ Σ_i⁻¹ F_i.

    Every row of both sums lies in the space of the projections, up to errors of 1e-16; so what the data do not
    determine keeps the prior's precision.
    """
    precision, linear = np.eye(terms.ivector_dim), np.zeros(terms.ivector_dim)
    counts, sums = stats.counts[row], stats.sums[row].reshape(terms.num_gauss, terms.dim)
    active = np.flatnonzero((counts != 0.0) | sums.any(axis=1))
    for start in range(0, len(active), _BLOCK):
        block = active[start : start + _BLOCK]
        projections = terms.projections[block]  # (m, F, I)
        weighted = unpacked(terms.inv_covars[block]) @ projections
        linear += sums[block].astype(np.float64).reshape(-1) @ weighted.reshape(-1, len(linear))
        weighted *= counts[block, None, None]
        precision += projections.reshape(-1, len(linear)).T @ weighted.reshape(-1, len(linear))
    return precision, linear
