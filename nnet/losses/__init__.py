"""The losses: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

A loss is a module made as ``Loss(options, in_dim, num_classes)`` whose ``forward(inputs (B, H), labels (B,), step)``
gives ``loss (), hits (K,) bool``: the mean loss, and for each decision whether it was right without any margin; a
classification makes one decision for each input, K = B. `step` counts training steps from 1; a loss that changes over
time is a pure function of it, so the trainer's step in the checkpoint is all there is to restore, and validation
advances nothing. ``scale_invariant`` names the parameters of which only the direction counts, which weight decay must
leave alone. To add one: its file here, its options and its line below, a YAML, a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nnet.options import OptionTable, at_least, require


@dataclass(frozen=True)
class SoftmaxOptions:
    """A linear layer and cross-entropy."""

    implementation: ClassVar[str] = "nnet.losses.softmax:Softmax"


@dataclass(frozen=True)
class AsoftmaxOptions:
    """A-softmax (SphereFace).

    margin: m, 1 to 4; 1 has none. lambda_base, lambda_min, lambda_gamma: of the annealing
    λ = max(lambda_min, lambda_base / (1 + lambda_gamma · step)); a large λ is plain softmax.
    """

    implementation: ClassVar[str] = "nnet.losses.asoftmax:Asoftmax"
    margin: int = 2
    lambda_base: float = 1500.0
    lambda_min: float = 5.0
    lambda_gamma: float = 0.01

    def __post_init__(self) -> None:
        require(1 <= self.margin <= 4, "margin", self.margin, "1 to 4")
        at_least(0, lambda_base=self.lambda_base, lambda_min=self.lambda_min, lambda_gamma=self.lambda_gamma)


@dataclass(frozen=True)
class AamOptions:
    """AAM-softmax (ArcFace). margin: m, in radians. scale: s, the length that every input is given."""

    implementation: ClassVar[str] = "nnet.losses.aam:Aam"
    margin: float = 0.2
    scale: float = 30.0

    def __post_init__(self) -> None:
        require(0 <= self.margin < 1.5, "margin", self.margin, "radians, 0 to less than 1.5")
        require(self.scale > 0, "scale", self.scale, "a positive number")


LOSSES: OptionTable = {
    "aam": AamOptions,
    "asoftmax": AsoftmaxOptions,
    "softmax": SoftmaxOptions,
}
