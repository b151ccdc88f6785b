"""A-softmax, the multiplicative angular margin.

Source: Liu et al. 2017, "SphereFace: Deep hypersphere embedding for face recognition", equations 4–7 and the annealing
of its section 4.1. For input x and class weights with direction ŵ (their length does not count), the logits are
|x| cos θ_j; that of the true class becomes |x| (cos θ + (ψ(θ) − cos θ) / (1 + λ)) with

    ψ(θ) = (−1)^k cos mθ − 2k,    k = floor(m θ / π),

which falls from 1 at θ = 0 to 1 − 2m at θ = π without a break. cos mθ is Chebyshev's polynomial T_m of cos θ, so the
gradient is finite at cos θ = ±1, where that of arccos is not; k is constant between its jumps and has none.

    λ(step) = max(lambda_min, lambda_base / (1 + lambda_gamma · step))

λ is a function of the training step alone: validation does not advance it, and a resumed run goes on from there.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from nnet.losses import AsoftmaxOptions
from nnet.losses.labels import check_labels, hits
from nnet.parts import Loss


def chebyshev(cosine: torch.Tensor, order: int) -> torch.Tensor:
    """cos(order · θ) from cos θ, by T_{n+1} = 2 cos θ T_n − T_{n−1}."""
    previous, current = torch.ones_like(cosine), cosine
    for _ in range(order - 1):
        previous, current = current, 2 * cosine * current - previous
    return current


def psi(cosine: torch.Tensor, margin: int) -> torch.Tensor:
    """ψ(θ) from cos θ, which is within [−1, 1]."""
    with torch.no_grad():
        k = torch.floor(margin * torch.acos(cosine) / math.pi)
        sign = 1 - 2 * (k % 2)
    return sign * chebyshev(cosine, margin) - 2 * k


class Asoftmax(Loss):
    """(B, H), labels (B,) → mean cross-entropy with margin, hits without (B,). No bias.

    The input should be free of a ReLU: angles in one orthant are at most 90°.
    """

    def __init__(self, options: AsoftmaxOptions, in_dim: int, num_classes: int) -> None:
        super().__init__(scale_invariant=("weight",))
        self.options = options
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, in_dim)))

    def lambda_at(self, step: int) -> float:
        """λ, the share of the plain logit that is mixed in, at a training step counted from 1."""
        annealed = self.options.lambda_base / (1 + self.options.lambda_gamma * step)
        return max(self.options.lambda_min, annealed)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits at a training step. Raises: ValueError for a label out of range."""
        check_labels(labels, self.weight.shape[0])
        index = labels.to(inputs.device)[:, None]  # (B, 1)
        logits = functional.linear(inputs, functional.normalize(self.weight))  # (B, H), (S, H) -> (B, S): |x| cos θ
        norm = inputs.norm(dim=1, keepdim=True).clamp(min=1e-12)
        cosine = (logits.gather(1, index) / norm).clamp(-1, 1)
        penalty = norm * (psi(cosine, self.options.margin) - cosine) / (1 + self.lambda_at(step))
        with_margin = logits.scatter_add(1, index, penalty)
        return functional.cross_entropy(with_margin, index[:, 0]), hits(logits, index[:, 0])
