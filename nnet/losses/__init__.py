"""The losses: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

A loss is a module made as ``Loss(options, in_dim, num_classes)`` whose ``forward(inputs (B, H), labels (B,), step)``
gives ``loss (), logits (B, S)``: the mean loss, and the logits without any margin, for accuracy. `step` counts training
steps from 1; a loss that changes over time is a pure function of it, so the trainer's step in the checkpoint is all
there is to restore, and validation advances nothing. ``scale_invariant`` names the parameters of which only the
direction counts, which weight decay must leave alone. To add one: its file here, its options and its line below, a
YAML, a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nnet.options import OptionTable


@dataclass(frozen=True)
class SoftmaxOptions:
    """A linear layer and cross-entropy."""

    implementation: ClassVar[str] = "nnet.losses.softmax:Softmax"


LOSSES: OptionTable = {
    "softmax": SoftmaxOptions,
}
