"""The stack of self-attention layers that the transformers share."""

from __future__ import annotations

from typing import Protocol

from torch import nn

# Attention keeps a weight for each pair of frames and each head: 8 heads over 6,000 frames (a minute of 10 ms) take
# 1.2 GB, over the ten minutes that other encoders take at once 115 GB. Longer utterances are embedded in pieces.
MAX_FRAMES = 6000


class TransformerOptions(Protocol):
    """What the options of a transformer have in common."""

    @property
    def width(self) -> int:
        """C."""

    @property
    def layers(self) -> int:
        """Self-attention layers."""

    @property
    def heads(self) -> int:
        """Heads of each attention; they share the width."""

    @property
    def feed_forward(self) -> int:
        """Width between the two affine layers after each attention."""

    @property
    def dropout(self) -> float:
        """Share of attention weights, of inner values and of each residual's values that training leaves out."""


def encoder_stack(options: TransformerOptions, norm: nn.Module | None = None) -> nn.TransformerEncoder:
    """Self-attention layers, norm after each residual, ReLU between; each starts from random weights of its own.

    nn.TransformerEncoder would start them all from copies of one.
    """
    stack = nn.TransformerEncoder(_layer(options), options.layers, norm, enable_nested_tensor=False)
    stack.layers = nn.ModuleList(_layer(options) for _ in range(options.layers))
    return stack


def _layer(options: TransformerOptions) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        options.width, options.heads, options.feed_forward, options.dropout, batch_first=True
    )
