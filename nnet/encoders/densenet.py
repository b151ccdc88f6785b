"""DenseNet of 62 layers over the time-frequency plane.

Source: Huang et al. 2017, "Densely connected convolutional networks", section 3 (DenseNet-BC: bottlenecks of four times
the growth, transitions to half the channels), with dense blocks of 3, 6, 12 and 8 layers, growth 8 and a stem of 15
channels, as in github.com/jefflai108/pytorch-kaldi-neural-speaker-embeddings. 1 stem + 2 · 29 + 3 transitions = 62.

The stem halves time and frequency rounding up, each transition halves time rounding down: T frames become
floor(ceil(T / 2) / 8). After the last batch norm there is no ReLU.

Batch norm and ReLU turn the zeros of padded frames into something else, so they are set to zero before each convolution
of more than one frame, and every utterance sees zeros beyond its end, as it does alone.

Checkpoints of that repository map onto this module as (N and M from 1)

    res.features.conv0, .norm0, .norm5            stem, stem_norm, norm
    res.features.denseblockN.denselayerM.…        blocks.(N-1).(M-1).…      norm1, conv1, norm2, conv2
    res.features.transitionN.…                    transitions.(N-1).…       norm, conv
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from common.options import ConfigError
from nnet.encoders.options_convolution import DenseNet62Options
from nnet.encoders.short import lengthen
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder

LAYERS = (3, 6, 12, 8)  # of each dense block
BOTTLENECK = 4  # times the growth: channels of a layer's 1×1 convolution
MIN_FRAMES = 15  # ceil(15 / 2) = 8, which three halvings bring to 1


class DenseLayer(nn.Module):
    """BN → ReLU → conv1 → BN → ReLU → conv3; the result is appended to the input's channels."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, planes: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(B, C, T, F) → (B, C + growth, T, F); `mask` (B, T): real frames."""
        inner = self.conv1(functional.relu(self.norm1(planes)))
        inner = zero_padding(functional.relu(self.norm2(inner)), mask, time_dim=2)
        return torch.cat([planes, self.conv2(inner)], dim=1)


class Transition(nn.Module):
    """BN → ReLU → conv1 to half the channels → means of 2 × 2.

    An odd last frame falls away, as it does in the published system, so that no padding is averaged with an utterance.
    An odd last column falls away with `drop_odd`; otherwise it is taken as it is.
    """

    def __init__(self, in_channels: int, drop_odd: bool) -> None:
        super().__init__()
        self.drop_odd = drop_odd
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """(B, C, T, F) → (B, C / 2, T / 2, F / 2)."""
        planes = self.conv(functional.relu(self.norm(planes)))
        if planes.shape[3] % 2 and not self.drop_odd:
            planes = torch.cat([planes, planes[..., -1:]], dim=3)  # the mean of the last column and itself
        return functional.avg_pool2d(planes, 2)


def num_channels(options: DenseNet62Options) -> int:
    """C: each layer adds its growth, each transition halves what there is."""
    channels = options.stem
    for index, num_layers in enumerate(LAYERS):
        channels = (channels // 2 if index else channels) + num_layers * options.growth
    return channels


class DenseNet62(Encoder):
    """(B, T, F) → (B, floor(ceil(T / 2) / 8), 128) for the default options."""

    def __init__(self, options: DenseNet62Options, in_dim: int) -> None:
        if options.variant == "jl" and (in_dim + 1) // 2 // 8 != 1:
            raise ConfigError(
                f"encoder.variant jl halves the frequency columns until one is left, which takes features.dim from 15"
                f" to 30; it is {in_dim}; set encoder.variant=own"
            )
        super().__init__(out_dim=num_channels(options), min_frames=MIN_FRAMES, pads_short=options.pad_short)
        self.stem = nn.Conv2d(1, options.stem, 7, 2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(options.stem)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        channels = options.stem
        for index, num_layers in enumerate(LAYERS):
            if index > 0:
                self.transitions.append(Transition(channels, drop_odd=options.variant == "jl"))
                channels //= 2
            layers = [DenseLayer(channels + n * options.growth, options.growth) for n in range(num_layers)]
            self.blocks.append(nn.ModuleList(layers))
            channels += num_layers * options.growth
        self.norm = nn.BatchNorm2d(channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames at a sixteenth of the rate.

        Args:
            feats: (B, T, F).
            lengths: (B,), on the CPU.

        Raises:
            ValueError: an utterance is shorter than 15 frames and ``pad_short`` is off.
        """
        feats, lengths = lengthen(feats, lengths, self.min_frames, self.pads_short)
        planes = zero_padding(feats, frame_mask(lengths, feats.shape[1], feats.device))[:, None]  # -> (B, 1, T, F)
        planes = functional.relu(self.stem_norm(self.stem(planes)))
        lengths = (lengths + 1) // 2
        for index, block in enumerate(self.blocks):
            if index > 0:
                planes = self.transitions[index - 1](planes)
                lengths = lengths // 2
            mask = frame_mask(lengths, planes.shape[2], feats.device)
            for layer in block:  # type: ignore[attr-defined]
                planes = layer(planes, mask)
        return self.norm(planes).mean(dim=3).transpose(1, 2), lengths  # (B, C, T', F') -> (B, C, T') -> (B, T', C)
