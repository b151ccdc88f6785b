"""Layers of LSTM on an affine map of the frames, the input of each added to its output.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; sums around recurrent layers as in Wu et al. 2016,
"Google's neural machine translation system", section 3.1. 3 × 256 is the first network of Speaker_Embedding_Torch on
log mel of ±4; dropout, which that one does not have, is of each sum's new part. Its last layer is not part of a sum,
so that its states lie between −1 and 1.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from nnet.encoders import ResidualLstmOptions
from nnet.encoders.recurrent import run_recurrent
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder


class ResidualLstm(Encoder):
    """(B, T, F) → (B, T, H), read from the left alone."""

    def __init__(self, options: ResidualLstmOptions, in_dim: int) -> None:
        width = options.width
        super().__init__(out_dim=width)
        self.shift, self.scale, self.dropout = options.input_shift, options.input_scale, options.dropout
        self.prenet = nn.Linear(in_dim, width)
        self.layers = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(options.layers))

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States of the last layer, 0 at padded frames. Args: feats (B, T, F); lengths (B,), on the CPU."""
        # Padding may be NaN, and 0 · NaN would reach the gradient of the affine layer.
        scaled = zero_padding((feats + self.shift) / self.scale, frame_mask(lengths, feats.shape[1], feats.device))
        frames = self.prenet(scaled)  # (B, T, F) -> (B, T, H)
        *summed, last = cast("list[nn.LSTM]", list(self.layers))
        for layer in summed:
            states = run_recurrent(layer, frames, lengths)
            frames = frames + functional.dropout(states, self.dropout, self.training)
        return run_recurrent(last, frames, lengths), lengths
