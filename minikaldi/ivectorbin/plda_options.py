"""Options that the commands with a PLDA model share."""

from __future__ import annotations

from dataclasses import dataclass

from minikaldi.options import option


@dataclass
class PldaOptions:
    """How vectors are normalised in the model's space. Source: PldaConfig in ivector/plda.h."""

    normalize_length: bool = option(True, "If true, do length normalization as part of PLDA")
    simple_length_normalization: bool = option(
        False, "If true, normalize to length sqrt(dim) in the transformed space, rather than by the expected variance"
    )
