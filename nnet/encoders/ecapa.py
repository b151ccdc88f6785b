"""ECAPA-TDNN: the frame-level layers.

Source: Desplanques et al. 2020, "ECAPA-TDNN: Emphasized channel attention, propagation and aggregation in TDNN based
speaker verification", sections 3.2 and 3.3 and figure 2; the blocks after Gao et al. 2019, "Res2Net", equation 1.

A layer is convolution → ReLU → batch norm. Every convolution with context pads with zeros, so T frames remain T; as
batch norm makes something else of the zeros of padded frames, they are set to zero before each of these. The input of
a block is the sum of what stem and earlier blocks gave; the outputs of the three blocks together enter the last layer.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.encoders.options_convolution import EcapaOptions
from nnet.encoders.squeeze import SqueezeExcitation
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder

STEM_KERNEL = 5
KERNEL = 3
DILATIONS = (2, 3, 4)  # of the three blocks


class Layer(nn.Sequential):
    """(B, C, T) → (B, C', T): convolution → ReLU → batch norm."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel - 1) // 2
        affine = nn.Conv1d(in_channels, out_channels, kernel, dilation=dilation, padding=padding)
        super().__init__(affine, nn.ReLU(), nn.BatchNorm1d(out_channels))


class Res2Layer(nn.Module):
    """(B, C, T) → (B, C, T): channels in groups; each but the first sees the result of the one before.

    y_1 = x_1, y_2 = K_2(x_2), y_i = K_i(x_i + y_{i−1}), with K_i a layer of kernel 3.
    """

    def __init__(self, channels: int, scale: int, dilation: int) -> None:
        super().__init__()
        self.scale = scale
        width = channels // scale
        self.layers = nn.ModuleList([Layer(width, width, KERNEL, dilation) for _ in range(scale - 1)])

    def forward(self, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """What `frames` holds where `mask` (B, T) is False enters no frame where it is True."""
        first, *groups = zero_padding(frames, mask, time_dim=2).chunk(self.scale, dim=1)
        results = [first]
        for index, (group, layer) in enumerate(zip(groups, self.layers, strict=True)):
            seen = group if index == 0 else zero_padding(group + results[-1], mask, time_dim=2)
            results.append(layer(seen))
        return torch.cat(results, dim=1)


class SeRes2Block(nn.Module):
    """(B, C, T) → (B, C, T): layer → Res2 layer → layer → squeeze-and-excitation, plus the input."""

    def __init__(self, channels: int, scale: int, squeeze: int, dilation: int) -> None:
        super().__init__()
        self.before = Layer(channels, channels)
        self.res2 = Res2Layer(channels, scale, dilation)
        self.after = Layer(channels, channels)
        self.squeeze = SqueezeExcitation(channels, squeeze, bias=True)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """What `frames` holds where `mask` (B, T) is False enters no frame where it is True."""
        return frames + self.squeeze(self.after(self.res2(self.before(frames), mask)), mask)


class Ecapa(Encoder):
    """(B, T, F) → (B, T, C)."""

    def __init__(self, options: EcapaOptions, in_dim: int) -> None:
        super().__init__(out_dim=options.last_width)
        self.stem = Layer(in_dim, options.width, STEM_KERNEL)
        self.blocks = nn.ModuleList(
            [SeRes2Block(options.width, options.scale, options.squeeze, dilation) for dilation in DILATIONS]
        )
        self.aggregate = nn.Sequential(nn.Conv1d(len(DILATIONS) * options.width, options.last_width, 1), nn.ReLU())

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames at the rate of the input. Args: feats (B, T, F); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, feats.shape[1], feats.device)
        total = self.stem(zero_padding(feats, mask).transpose(1, 2))  # (B, T, F) -> (B, F, T) -> (B, C, T)
        outputs = []
        for block in self.blocks:
            outputs.append(block(total, mask))
            total = total + outputs[-1]
        return self.aggregate(torch.cat(outputs, dim=1)).transpose(1, 2), lengths  # (B, 3C, T) -> (B, T, C')
