"""AAM-softmax, the additive angular margin.

Source: Deng et al. 2019, "ArcFace: Additive angular margin loss for deep face recognition", equation 3. The logits are
s cos θ_j; that of the true class becomes s cos(θ + m), and past θ = π − m, where that would rise again, it goes on
falling as s (cos θ − m sin m), as in the authors' own program.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from nnet.losses import AamOptions
from nnet.losses.labels import check_labels, hits

SINE_FLOOR = 1e-7  # least sin² θ: keeps the square root's gradient finite at cos θ = ±1


class Aam(nn.Module):
    """(B, H), labels (B,) → mean cross-entropy with margin, hits without (B,). No bias, no ReLU before it."""

    scale_invariant = ("weight",)

    def __init__(self, options: AamOptions, in_dim: int, num_classes: int) -> None:
        super().__init__()
        self.options = options
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, in_dim)))

    def with_margin(self, cosine: torch.Tensor) -> torch.Tensor:
        """cos(θ + m) from cos θ, falling all the way to θ = π."""
        margin = self.options.margin
        sine = (1 - cosine.square()).clamp(min=SINE_FLOOR).sqrt()
        added = cosine * math.cos(margin) - sine * math.sin(margin)
        return torch.where(cosine > -math.cos(margin), added, cosine - margin * math.sin(margin))

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits; the same at every `step`. Raises: ValueError for a label out of range."""
        check_labels(labels, self.weight.shape[0])
        index = labels.to(inputs.device)[:, None]  # (B, 1)
        cosines = functional.linear(functional.normalize(inputs), functional.normalize(self.weight))  # (B, S)
        target = cosines.gather(1, index)
        with_margin = cosines.scatter(1, index, self.with_margin(target))
        scale = self.options.scale
        return functional.cross_entropy(scale * with_margin, index[:, 0]), hits(cosines, index[:, 0])
