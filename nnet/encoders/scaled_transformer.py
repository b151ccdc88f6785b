"""A transformer encoder over frames with sinusoidal positions of a learnt scale.

Source: Vaswani et al. 2017, "Attention is all you need", sections 3.1 and 3.5, norm after each residual and once more
at the end; the scale of the positions is that of Li et al. 2019, "Neural speech synthesis with transformer network",
section 3.3. Positions are computed for any number of frames; the published system has a table of 1024.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from nnet.encoders import ScaledTransformerOptions
from nnet.encoders.transformer_layers import MAX_FRAMES, encoder_stack
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder


def sinusoids(num_frames: int, width: int, device: torch.device | None = None) -> torch.Tensor:
    """float32 (T, C): sin(t · 10000^(−c / C)) in the even columns c, the cosine of the same angle right of each."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10000.0) / width))
    angles = torch.arange(num_frames, device=device, dtype=rates.dtype)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # (T, C/2, 2) -> (T, C)


class ScaledTransformer(Encoder):
    """(B, T, F) → (B, T, C)."""

    def __init__(self, options: ScaledTransformerOptions, in_dim: int) -> None:
        super().__init__(out_dim=options.width, max_frames=MAX_FRAMES)
        self.dropout = options.dropout
        self.prenet = nn.Linear(in_dim, options.width)  # a convolution that sees one frame
        nn.init.kaiming_uniform_(self.prenet.weight, nonlinearity="relu")
        nn.init.zeros_(self.prenet.bias)
        self.alpha = nn.Parameter(torch.ones(1))
        self.transformer = encoder_stack(options, nn.LayerNorm(options.width))

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames that have seen the whole utterance. Args: feats (B, T, F); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, feats.shape[1], feats.device)
        frames = functional.relu(self.prenet(zero_padding(feats, mask)))  # (B, T, F) -> (B, T, C)
        frames = frames + self.alpha * sinusoids(feats.shape[1], self.out_dim, feats.device)
        frames = functional.dropout(frames, self.dropout, self.training)
        padding = None if mask is None else ~mask  # PyTorch marks what must be left out
        return self.transformer(frames, src_key_padding_mask=padding), lengths
