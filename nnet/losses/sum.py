"""A weighted sum of losses over one batch, such as a classification and a metric loss."""

from __future__ import annotations

import torch
from torch import nn

from common.options import part_of
from nnet.losses import SumOptions
from nnet.parts import Loss


class Sum(Loss):
    """(B, H), labels (B,) → the weighted sum of the losses, hits of the first."""

    def __init__(self, options: SumOptions, in_dim: int, num_classes: int) -> None:
        parts: list[Loss] = [part_of(each.options)(each.options, in_dim, num_classes) for each in options.losses]
        super().__init__(
            scale_invariant=_of_sum([part.scale_invariant for part in parts]),
            undecayed=_of_sum([part.undecayed for part in parts]),
        )
        self.weights = [each.weight for each in options.losses]
        self.losses = nn.ModuleList(parts)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits. Raises: ValueError for labels that one of the losses refuses."""
        results = [loss(inputs, labels, step) for loss in self.losses]
        total = torch.stack([weight * loss for weight, (loss, _) in zip(self.weights, results, strict=True)]).sum()
        return total, results[0][1]


def _of_sum(names: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The parameters' names of each summand, as they are called in the sum."""
    return tuple(f"losses.{index}.{name}" for index, own in enumerate(names) for name in own)
