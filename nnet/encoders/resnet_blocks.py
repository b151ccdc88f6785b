"""The residual blocks of ResNets over the time-frequency plane.

Source: He et al. 2016, "Deep residual learning", figure 5 and equation 2, with batch norm after each convolution.

A convolution that sees past the end of an utterance must see zeros there, as it does for an utterance alone. Batch norm
and ReLU turn zeros into something else; so padded frames are set to zero before each convolution of more than one
frame. Every block takes planes whose padding is zero, and gives such planes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.encoders.squeeze import SqueezeExcitation
from nnet.masks import zero_padding

SQUEEZE = 16  # channels per hidden unit of squeeze-and-excitation
EXPANSION = 4  # of the bottleneck's channels; the published systems' programs have 1, but no system that uses it


class StridedPointwise(nn.Conv2d):
    """A 1×1 convolution with a stride, computed as one of stride 1 over every `stride`-th row and column.

    The sums are the same. It avoids a backward pass of oneDNN in torch 2.13 that writes past its memory if the
    stride is 2, the planes are channels_last with fewer than 8 channels, and the CPU has AVX2 but not AVX-512.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """(B, C, T, F) → (B, C', ceil(T / stride), ceil(F / stride))."""
        return functional.conv2d(planes[:, :, :: self.stride[0], :: self.stride[1]], self.weight)


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """How the input of a block is added: as it is, or by a 1×1 convolution and batch norm if the shape changes."""
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential()
    return nn.Sequential(StridedPointwise(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))


def squeeze_excitation(channels: int) -> SqueezeExcitation:
    """With one hidden unit for each 16 channels, at least 1, and no biases."""
    return SqueezeExcitation(channels, max(1, channels // SQUEEZE), bias=False)


class BasicBlock(nn.Module):
    """conv3 → BN → ReLU → conv3 → BN [→ squeeze-and-excitation], plus the input by its shortcut → ReLU."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.squeeze = squeeze_excitation(channels) if squeeze else None
        self.downsample = shortcut(in_channels, channels, stride)

    def forward(self, planes: torch.Tensor, mask: torch.Tensor | None, out_mask: torch.Tensor | None) -> torch.Tensor:
        """(B, C, T, F) → (B, C', T', F'); `mask` (B, T) and `out_mask` (B, T'): real frames of input and output."""
        inner = zero_padding(functional.relu(self.bn1(self.conv1(planes))), out_mask, time_dim=2)
        outer = self.bn2(self.conv2(inner))
        if self.squeeze is not None:
            outer = self.squeeze(outer, out_mask)
        return zero_padding(functional.relu(outer + self.downsample(planes)), out_mask, time_dim=2)


class BottleneckBlock(nn.Module):
    """conv1 → BN → ReLU → conv3 → BN → ReLU → conv1 → BN [→ squeeze-and-excitation], plus the input → ReLU.

    The last convolution widens to four times `channels`. The stride is that of the 3×3 convolution.
    """

    expansion = EXPANSION

    def __init__(self, in_channels: int, channels: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        out_channels = channels * EXPANSION
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.squeeze = squeeze_excitation(out_channels) if squeeze else None
        self.downsample = shortcut(in_channels, out_channels, stride)

    def forward(self, planes: torch.Tensor, mask: torch.Tensor | None, out_mask: torch.Tensor | None) -> torch.Tensor:
        """(B, C, T, F) → (B, C', T', F'), as `BasicBlock.forward`."""
        inner = zero_padding(functional.relu(self.bn1(self.conv1(planes))), mask, time_dim=2)
        inner = functional.relu(self.bn2(self.conv2(inner)))  # conv3 sees one frame at a time: no mask
        outer = self.bn3(self.conv3(inner))
        if self.squeeze is not None:
            outer = self.squeeze(outer, out_mask)
        return zero_padding(functional.relu(outer + self.downsample(planes)), out_mask, time_dim=2)
