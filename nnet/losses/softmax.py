"""A linear layer and cross-entropy."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.losses import LossOptions
from nnet.losses.labels import check_labels, hits
from nnet.parts import Loss


class Softmax(Loss):
    """(B, H), labels (B,) → mean cross-entropy, hits (B,)."""

    def __init__(self, options: LossOptions, in_dim: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, num_classes)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits; the same at every `step`. Raises: ValueError for a label out of range."""
        check_labels(labels, self.linear.out_features)
        logits = self.linear(inputs)
        labels = labels.to(logits.device)
        return functional.cross_entropy(logits, labels), hits(logits, labels)
