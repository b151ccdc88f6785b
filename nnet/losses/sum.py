"""A weighted sum of losses over one batch, such as a classification and a metric loss."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from common.options import part_of
from nnet.losses import SumOptions


class Sum(nn.Module):
    """(B, H), labels (B,) → the weighted sum of the losses, hits of the first."""

    def __init__(self, options: SumOptions, in_dim: int, num_classes: int) -> None:
        super().__init__()
        self.weights = [each.weight for each in options.losses]
        parts = [part_of(each.options)(each.options, in_dim, num_classes) for each in options.losses]
        self.losses = nn.ModuleList(parts)

    @property
    def scale_invariant(self) -> tuple[str, ...]:
        """Names of the parameters of which only the direction counts."""
        return tuple(self._named("scale_invariant"))

    @property
    def undecayed(self) -> tuple[str, ...]:
        """Names of other parameters that weight decay must leave alone."""
        return tuple(self._named("undecayed"))

    def _named(self, kind: str) -> Iterator[str]:
        for index, loss in enumerate(self.losses):
            names: tuple[str, ...] = getattr(loss, kind, ())
            yield from (f"losses.{index}.{name}" for name in names)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits. Raises: ValueError for labels that one of the losses refuses."""
        results = [loss(inputs, labels, step) for loss in self.losses]
        total = torch.stack([weight * loss for weight, (loss, _) in zip(self.weights, results, strict=True)]).sum()
        return total, results[0][1]
