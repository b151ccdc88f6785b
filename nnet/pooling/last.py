"""The last frame of each utterance, at which a recurrent encoder has read all of it."""

from __future__ import annotations

import torch

from common.errors import InputError
from nnet.parts import Pooling
from nnet.pooling import LastOptions


class LastPooling(Pooling):
    """(B, T, C) → (B, C): each utterance's own last frame, or that and frame 0, half the channels of each."""

    def __init__(self, options: LastOptions, in_dim: int) -> None:
        if options.bidirectional and in_dim % 2:
            raise InputError(
                f"pooling.bidirectional takes half of the channels; the encoder gives {in_dim}, an odd number"
            )
        super().__init__(out_dim=in_dim)
        self.bidirectional = bool(options.bidirectional)  # fit.py has put the encoder's in place of null

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The frame before the padding. Args: frames (B, T, C); lengths (B,), 1 or more each."""
        index = (lengths.to(frames.device) - 1)[:, None, None].expand(-1, 1, frames.shape[2])
        last = frames.gather(1, index)[:, 0]  # (B, T, C) -> (B, C)
        if not self.bidirectional:
            return last
        half = frames.shape[2] // 2
        return torch.cat([last[:, :half], frames[:, 0, half:]], dim=1)  # (B, C/2), (B, C/2) -> (B, C)
