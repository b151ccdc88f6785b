"""A small transformer whose decoder asks once: one vector an utterance.

Source: Vaswani et al. 2017, "Attention is all you need", section 3, norm after each residual, without positions, so
that the order of the frames does not matter; the decoder's only query is zero.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.encoders import QueryTransformerOptions
from nnet.encoders.transformer_layers import MAX_FRAMES, encoder_stack
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder


class QueryTransformer(Encoder):
    """(B, T, F) → (B, 1, C) and lengths of 1."""

    def __init__(self, options: QueryTransformerOptions, in_dim: int) -> None:
        super().__init__(out_dim=options.width, max_frames=MAX_FRAMES, one_vector=True)
        self.shift, self.scale = options.input_shift, options.input_scale
        self.input = nn.Linear(in_dim, options.width)
        self.encoder = encoder_stack(options)
        answer = nn.TransformerDecoderLayer(
            options.width, options.heads, options.feed_forward, options.dropout, batch_first=True
        )
        self.decoder = nn.TransformerDecoder(answer, 1)

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the query gets. Args: feats (B, T, F); lengths (B,), on the CPU. Padding gets no attention."""
        mask = frame_mask(lengths, feats.shape[1], feats.device)
        padding = None if mask is None else ~mask  # PyTorch marks what must be left out
        scaled = zero_padding((feats + self.shift) / self.scale, mask)
        frames = torch.sigmoid(self.input(scaled))  # (B, T, F) -> (B, T, C)
        memory = self.encoder(frames, src_key_padding_mask=padding)
        query = memory.new_zeros(memory.shape[0], 1, self.out_dim)  # len() would trace one batch size
        return self.decoder(query, memory, memory_key_padding_mask=padding), torch.ones_like(lengths)
