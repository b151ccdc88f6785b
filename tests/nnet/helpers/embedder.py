"""A network as it is exported."""

from __future__ import annotations

import torch
from torch import nn

from nnet.model import SpeakerNet


class Embedder(nn.Module):
    """What is exported of a network."""

    def __init__(self, net: SpeakerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.net.embed(feats, lengths)
