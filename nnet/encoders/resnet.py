"""ResNets over the time-frequency plane.

Source: He et al. 2016, "Deep residual learning", table 1 and figure 3 (18 and 34 layers of basic blocks, 50 of
bottlenecks), thinned to 16-32-64-128 channels with a stride-1 stem and no max-pooling, as in Cai et al. 2018,
"Exploring the encoding layer and loss function in end-to-end speaker and language recognition".

Each stage after the first halves time and frequency, rounding up. The frequency columns of the last one are averaged,
or stacked, so that a pooling takes each by itself, as in Zeinali et al. 2019, "BUT system description to VoxCeleb
speaker recognition challenge 2019".
How padding is kept out: ``resnet_blocks``.

Checkpoints of github.com/jefflai108/pytorch-kaldi-neural-speaker-embeddings map onto it as (L from 1, B from 0)

    res.conv1, res.bn1                        conv1, bn1
    res.layerL.B.conv1, .bn1, .conv2, .bn2    stages.(L-1).B.conv1, .bn1, .conv2, .bn2
    res.layerL.0.downsample.0, .1             stages.(L-1).0.downsample.0, .1
    res.layerL.B.se.fc.0, .2                  stages.(L-1).B.squeeze.squeeze, .squeeze.excite
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from common.options import ConfigError
from nnet.encoders.options_convolution import ResNetOptions
from nnet.encoders.resnet_blocks import BasicBlock, BottleneckBlock
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder

JL_COLUMNS = 3  # frequency columns that variant jl, the published systems', averages


class ResNet(Encoder):
    """(B, T, F) → (B, ceil(T / 8), 8 · width), or 32 · width with bottleneck blocks; stacked, ceil(F / 8) as many."""

    def __init__(self, options: ResNetOptions, in_dim: int) -> None:
        columns = -(-in_dim // 8)  # frequency columns of the last stage, ceil(F / 8)
        if options.variant == "jl" and columns // JL_COLUMNS != 1:
            raise ConfigError(
                f"encoder.variant jl averages 3 of 3 to 5 frequency columns, which takes features.dim from 17 to 40; it"
                f" is {in_dim}; set encoder.variant=own"
            )
        block = BottleneckBlock if options.bottleneck else BasicBlock
        stack = options.columns == "stack"
        channels = options.width * 2 ** (len(options.num_blocks) - 1) * block.expansion  # of the last stage
        super().__init__(out_dim=channels * (columns if stack else 1))
        self.stack, self.lowest_alone = stack, options.variant == "jl"
        self.conv1 = nn.Conv2d(1, options.width, 7, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(options.width)
        self.stages = nn.ModuleList()
        inputs = options.width
        for index, num_blocks in enumerate(options.num_blocks):
            channels = options.width * 2**index
            stage = nn.ModuleList()
            for position in range(num_blocks):
                stage.append(block(inputs, channels, 2 if index > 0 and position == 0 else 1, options.squeeze))
                inputs = channels * block.expansion
            self.stages.append(stage)
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
            out_mask = mask
            if index > 0:
                lengths = (lengths + 1) // 2
                # ceil(T / 2), in the form that torch.export has for the convolution's output.
                out_mask = frame_mask(lengths, (planes.shape[2] - 1) // 2 + 1, feats.device)
            for block in stage:  # type: ignore[attr-defined]
                planes = block(planes, mask, out_mask)
                mask = out_mask
        if self.lowest_alone:
            planes = planes[..., :JL_COLUMNS]
        if self.stack:
            return planes.permute(0, 2, 1, 3).flatten(2), lengths  # (B, C, T', F') -> (B, T', C · F')
        return planes.mean(dim=3).transpose(1, 2), lengths  # (B, C, T', F') -> (B, C, T') -> (B, T', C)
