"""Attentive statistics: mean and standard deviation under weights that the network chooses.

Source: Okabe, Koshinaka, Shinoda 2018, "Attentive statistics pooling for deep speaker embedding", equations 1–6:

    e_t = vᵀ f(W h_t + b) + k        α = softmax over t of e        μ = Σ_t α_t h_t        σ² = Σ_t α_t h_t² − μ²

Differs: k is left out, since a softmax does not see what is added to each score.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import frame_mask, zero_padding
from nnet.parts import Pooling
from nnet.pooling import AttentiveOptions
from nnet.pooling.attention import weighted_moments, weights_over_time


class AttentivePooling(Pooling):
    """(B, T, C) → (B, 2C): weighted means, then weighted standard deviations."""

    def __init__(self, options: AttentiveOptions, in_dim: int) -> None:
        super().__init__(out_dim=2 * in_dim)
        self.variance_floor = options.variance_floor
        self.scores = nn.Sequential(
            nn.Linear(in_dim, options.hidden),
            nn.Tanh() if options.activation == "tanh" else nn.ReLU(),
            nn.Linear(options.hidden, 1, bias=False),
        )

    def attend(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The weight of each frame, (B, T, 1). Args: as for `forward`."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        return weights_over_time(self.scores(zero_padding(frames, mask)), mask)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Statistics of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        mean, variance = weighted_moments(frames, weights_over_time(self.scores(frames), mask), mask)
        deviation = variance.clamp(min=self.variance_floor).sqrt()
        return torch.cat([mean, deviation], dim=1).flatten(1)  # (B, C, 1), (B, C, 1) -> (B, 2C)
