"""AAM-softmax, the additive angular margin, also with sub-centres and a margin that grows.

Source: Deng et al. 2019, "ArcFace: Additive angular margin loss for deep face recognition", equation 3. The logits are
s cos θ_j; that of the true class becomes s cos(θ + m), and past θ = π − m, where that would rise again, it goes on
falling as s (cos θ − m sin m), as in the authors' own program.
Sub-centres: Deng et al. 2020, "Sub-center ArcFace: Boosting face recognition by large-scale noisy web faces", equation
4: a class has K weight vectors, and cos θ_j is the greatest of its K cosines.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from nnet.losses import AamOptions, AmOptions
from nnet.losses.labels import check_labels, hits
from nnet.losses.metric import unit
from nnet.parts import Loss

SINE_FLOOR = 1e-7  # least sin² θ: keeps the square root's gradient finite at cos θ = ±1


class Aam(Loss):
    """(B, H), labels (B,) → mean cross-entropy with margin, hits without (B,). No bias, no ReLU before it.

    weight: (S K, H); the K sub-centres of class j are rows j K … j K + K − 1.
    """

    def __init__(self, options: AamOptions | AmOptions, in_dim: int, num_classes: int) -> None:
        super().__init__(scale_invariant=("weight",))
        self.options, self.num_classes = options, num_classes
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes * options.sub_centres, in_dim)))

    def with_margin(self, cosine: torch.Tensor, margin: float) -> torch.Tensor:
        """cos(θ + m) from cos θ, falling all the way to θ = π."""
        sine = (1 - cosine.square()).clamp(min=SINE_FLOOR).sqrt()
        added = cosine * math.cos(margin) - sine * math.sin(margin)
        return torch.where(cosine > -math.cos(margin), added, cosine - margin * math.sin(margin))

    def cosines(self, inputs: torch.Tensor) -> torch.Tensor:
        """Of inputs (B, H) with the nearest sub-centre of each class, (B, S)."""
        cosines = functional.linear(unit(inputs), unit(self.weight))  # (B, H), (S K, H) -> (B, S K)
        return cosines.unflatten(1, (self.num_classes, self.options.sub_centres)).amax(dim=2)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits, with the margin of this `step`. Raises: ValueError for a label out of range."""
        check_labels(labels, self.num_classes)
        index = labels.to(inputs.device)[:, None]  # (B, 1)
        cosines = self.cosines(inputs)
        target = self.with_margin(cosines.gather(1, index), self.options.margin_at(step))
        logits = self.options.scale * cosines.scatter(1, index, target)
        return functional.cross_entropy(logits, index[:, 0]), hits(cosines, index[:, 0])
