"""The angular prototypical loss.

Source: Chung et al. 2020, "In defence of metric learning for speaker recognition", equations 5 to 7. Of the M
utterances of each of N speakers in a batch the last is the query, the mean of the others the speaker's prototype:

    S_jk = w cos(x_jM, c_k),    c_k = Σ_{m < M} x_km / (M − 1),    w > 0
    L = (1 / N) Σ_j (−S_jj + log Σ_k exp S_jk)

Differs from the source: w is positive by construction, not by clamping; there is no b, which would shift all logits of
a row alike, so that neither the loss nor a gradient depends on it.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from nnet.losses import AngularPrototypicalOptions
from nnet.losses.labels import check_labels, hits
from nnet.losses.metric import PositiveScale, group_size, unit
from nnet.parts import Loss


class AngularPrototypical(Loss):
    """(B, H), labels (B,) of N groups → mean loss, hits (N,): whether a query's own prototype was the nearest."""

    def __init__(self, options: AngularPrototypicalOptions, in_dim: int, num_classes: int) -> None:
        super().__init__(undecayed=("scale.raw",))  # weight decay would draw w to zero, which means nothing
        self.num_classes = num_classes
        self.scale = PositiveScale(options.w)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits; the same at every `step`. Raises: ValueError for a label out of range or other groups."""
        check_labels(labels, self.num_classes)
        groups = inputs.reshape(-1, group_size(labels), inputs.shape[1])  # (B, H) -> (N, M, H)
        prototypes = groups[:, :-1].mean(dim=1)  # (N, H)
        cosines = functional.linear(unit(groups[:, -1]), unit(prototypes))  # (N, N)
        own = torch.arange(len(groups), device=inputs.device)
        return functional.cross_entropy(self.scale(cosines), own), hits(cosines, own)
