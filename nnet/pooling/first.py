"""The first frame, for encoders that gather the utterance there."""

from __future__ import annotations

import torch

from nnet.parts import Pooling
from nnet.pooling import PoolingOptions


class FirstPooling(Pooling):
    """(B, T, C) → (B, C): frame 0."""

    def __init__(self, options: PoolingOptions, in_dim: int) -> None:
        super().__init__(out_dim=in_dim)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Frame 0 of each utterance. Args: frames (B, T, C); lengths (B,), 1 or more each."""
        return frames[:, 0]
