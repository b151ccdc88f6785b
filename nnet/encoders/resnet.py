"""ResNet34 over the time-frequency plane.

Source: He et al. 2016, "Deep residual learning", table 1 and figure 3 (34 layers, basic blocks), thinned to
16-32-64-128 channels with a stride-1 stem and no max-pooling, as in Cai et al. 2018, "Exploring the encoding layer and
loss function in end-to-end speaker and language recognition".

Each stage after the first halves time and frequency, rounding up. A convolution that sees past the end of an utterance
must see zeros there, as it does for an utterance alone; so padded frames are set to zero before each one.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.encoders import ResNet34Options
from nnet.masks import frame_mask, zero_padding
from nnet.options import ConfigError

BLOCKS = (3, 4, 6, 3)
SEED_COLUMNS = 3  # frequency columns that the published systems average


class BasicBlock(nn.Module):
    """conv3 → BN → ReLU → conv3 → BN, plus the input (by a 1×1 convolution and BN where the shape changes) → ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, planes: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(B, C, T, F) → (B, C', T', F'); `mask` (B, T') is for the output, the input's padding is zero already."""
        inner = zero_padding(functional.relu(self.bn1(self.conv1(planes))), mask, time_dim=2)
        outer = self.bn2(self.conv2(inner)) + self.downsample(planes)
        return zero_padding(functional.relu(outer), mask, time_dim=2)


class ResNet34(nn.Module):
    """(B, T, F) → (B, ceil(T / 8), 8 · width)."""

    min_frames = 1

    def __init__(self, options: ResNet34Options, in_dim: int) -> None:
        super().__init__()
        self.seed_compatible = options.seed_compatible
        columns = -(-in_dim // 8)  # frequency columns of the last stage, ceil(F / 8)
        if options.seed_compatible and columns // SEED_COLUMNS != 1:
            raise ConfigError(
                f"encoder.seed_compatible averages 3 of 3 to 5 frequency columns, which takes features.dim from 17 to "
                f"40; it is {in_dim}; set encoder.seed_compatible=false"
            )
        self.conv1 = nn.Conv2d(1, options.width, 7, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(options.width)
        self.stages = nn.ModuleList()
        channels = options.width
        for index, num_blocks in enumerate(BLOCKS):
            out_channels = options.width * 2**index
            strides = [1 if index == 0 else 2] + [1] * (num_blocks - 1)
            inputs = [channels] + [out_channels] * (num_blocks - 1)
            blocks = [BasicBlock(i, out_channels, stride) for i, stride in zip(inputs, strides, strict=True)]
            self.stages.append(nn.ModuleList(blocks))
            channels = out_channels
        self.out_dim = channels
        self._init_weights()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a training step takes a quarter less

    def _init_weights(self) -> None:
        """He et al. 2015: the variance of the gradient is kept through each ReLU."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames at an eighth of the rate. Args: feats (B, T, F); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, feats.shape[1], feats.device)
        planes = zero_padding(feats, mask)[:, None]  # (B, T, F) -> (B, 1, T, F)
        planes = zero_padding(functional.relu(self.bn1(self.conv1(planes))), mask, time_dim=2)
        for index, stage in enumerate(self.stages):
            if index > 0:
                lengths = (lengths + 1) // 2
                mask = frame_mask(lengths, (planes.shape[2] + 1) // 2, feats.device)
            for block in stage:  # type: ignore[attr-defined]
                planes = block(planes, mask)
        if self.seed_compatible:
            planes = planes[..., :SEED_COLUMNS]
        return planes.mean(dim=3).transpose(1, 2), lengths  # (B, C, T', F') -> (B, C, T') -> (B, T', C)
