"""Learnable dictionary encoding, by matrix products.

Source: Cai et al. 2018, "Exploring the encoding layer and loss function in end-to-end speaker and language
recognition", section 3.3, with the variants (``att``, ``norm``, ``mean+std``) of the LDE-1 … LDE-7 systems.

A dictionary of D centres μ_d; frame x_t has the residual r_td = x_t − μ_d to each. Written out, the residuals are a
(B, T, D, C) tensor, 210 MB for 64 chunks of 100 frames with D = 64, C = 128. Nothing needs them one by one:

    distance   |r_td|²        = |x_t|² − 2 x_t·μ_d + |μ_d|²
    mean       Σ_t w_td r_td  = Σ_t w_td x_t  − W_d μ_d                                     W_d = Σ_t w_td
    square     Σ_t w_td r_td² = Σ_t w_td x_t² − 2 μ_d ∘ Σ_t w_td x_t + W_d μ_d²             (element by element)

so three matrix products do. What is lost: where a frame lies on a centre, the distance is the difference of two equal
numbers, right to about 1e-7 |x|² only. It is floored at 0, and so is the variance.

    weights    lde: w_td = softmax over d of −s_d² · distance        att: w_td = softmax over t of −s_d · distance
               then divided by W_d + 1e-9, so that each centre takes a mean
    distance   sqr: |r|²     norm: |r|
    output     mean: the D means     mean+std: for each d its C means, then its C deviations
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import frame_mask, zero_padding
from nnet.pooling import LdeOptions

WEIGHT_FLOOR = 1e-9  # under the sum of a centre's weights, which underflows for a centre far from each frame
VARIANCE_FLOOR = 1e-8  # under the square root of a second moment, and of a squared distance


class LdePooling(nn.Module):
    """(B, T, C) → (B, D·C), or (B, D·2C) with deviations."""

    def __init__(self, options: LdeOptions, in_dim: int) -> None:
        super().__init__()
        self.options = options
        self.centres = nn.Parameter(torch.empty(options.components, in_dim).uniform_(-1, 1))  # μ, (D, C)
        self.scales = nn.Parameter(torch.ones(options.components))  # s, (D,)
        self.out_dim = options.components * in_dim * (2 if options.output == "mean+std" else 1)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The encoding of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        weights = self._assign(frames, mask).transpose(1, 2)  # (B, D, T)
        total = weights.sum(dim=2, keepdim=True)  # (B, D, 1)
        weighted = weights @ frames  # (B, D, T) @ (B, T, C) -> (B, D, C)
        mean = weighted - total * self.centres
        if self.options.output == "mean":
            return mean.flatten(1)  # (B, D, C) -> (B, D·C)
        square = weights @ frames.square() - 2 * self.centres * weighted + total * self.centres.square()
        if self.options.centred:
            square = square - mean.square() * (2 - total)  # Σ w (r − e)² = Σ w r² − 2 e² + W e²
        deviation = (square.clamp(min=0) + VARIANCE_FLOOR).sqrt()
        return torch.cat([mean, deviation], dim=2).flatten(1)  # (B, D, 2C) -> (B, D·2C)

    def _assign(self, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Weights (B, T, D) of each frame for each centre; over the frames of an utterance they sum to 1."""
        distances = self._distances(frames)
        if self.options.assignment == "lde":
            weights = zero_padding((-self.scales.square() * distances).softmax(dim=2), mask)
        else:
            scores = -self.scales * distances
            if mask is not None:
                scores = scores.masked_fill(~mask[:, :, None], -torch.inf)
            weights = scores.softmax(dim=1)
        return weights / (weights.sum(dim=1, keepdim=True) + WEIGHT_FLOOR)

    def _distances(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, T, C) → (B, T, D)."""
        lengths_squared = frames.square().sum(dim=2, keepdim=True)
        products = frames @ (2 * self.centres.T)  # (B, T, C) @ (C, D) -> (B, T, D)
        squared = lengths_squared - products + self.centres.square().sum(dim=1)
        if self.options.distance == "sqr":
            return squared.clamp(min=0)
        return squared.clamp(min=VARIANCE_FLOOR).sqrt()  # the floor keeps the gradient finite on a centre
