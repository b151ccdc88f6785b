"""Convolutions on the waveform, then a bidirectional GRU.

Source: the convolutions are those of Baevski et al. 2020, "wav2vec 2.0", section 4.2, with group norm after the first
only: seven layers that see 400 samples at once and move on by 320. Differs from the published speaker network of this
shape: the norm's statistics leave padding out, so that an utterance gets the same in any batch.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.encoders import ConvGruOptions
from nnet.encoders.recurrent import run_recurrent
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder

KERNEL_STRIDE = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


def receptive_field_and_stride() -> tuple[int, int]:
    """Samples that an output frame sees, and samples from one frame to the next: 400 and 320."""
    field, stride = 1, 1
    for kernel, layer_stride in KERNEL_STRIDE:
        field += (kernel - 1) * stride
        stride *= layer_stride
    return field, stride


FIELD, STRIDE = receptive_field_and_stride()


class ChannelNorm(nn.Module):
    """Each channel to mean 0 and variance 1 over an utterance's own frames, then a learnt scale and shift.

    That is a group norm with as many groups as channels (Wu and He 2018), without the padding.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = 1e-5

    def forward(self, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(B, C, T) → (B, C, T), in the precision of the parameters; `mask` (B, T), None if nothing is padding."""
        frames = frames.to(self.weight.dtype)
        if mask is None:
            return functional.group_norm(frames, frames.shape[1], self.weight, self.bias, self.eps)
        counts = mask.sum(dim=1).to(frames)[:, None, None]
        mean = zero_padding(frames, mask, time_dim=2).sum(dim=2, keepdim=True) / counts
        deviations = zero_padding(frames - mean, mask, time_dim=2)
        variance = deviations.square().sum(dim=2, keepdim=True) / counts
        return deviations * (variance + self.eps).rsqrt() * self.weight[:, None] + self.bias[:, None]


class ConvGru(Encoder):
    """(B, T, F) of consecutive samples → (B, T', 2H) forward | backward, T' = floor(1 + (T·F − 400) / 320)."""

    def __init__(self, options: ConvGruOptions, in_dim: int) -> None:
        # Silence or repetition would be another sound, so an utterance that is too short is refused.
        super().__init__(
            out_dim=2 * options.width, min_frames=-(-FIELD // in_dim), pads_short=False, bidirectional=True
        )
        self.samples_per_frame = in_dim
        widths = [1, *[options.channels] * len(KERNEL_STRIDE)]
        self.convs = nn.ModuleList(
            nn.Conv1d(i, o, kernel, stride, bias=False)
            for i, o, (kernel, stride) in zip(widths[:-1], widths[1:], KERNEL_STRIDE, strict=True)
        )
        self.norm = ChannelNorm(options.channels)
        self.rnn = nn.GRU(
            options.channels,
            options.width,
            options.layers,
            batch_first=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
            bidirectional=True,
        )
        self._init_weights()

    def _init_weights(self) -> None:
        """As the published network begins: He et al. 2015 in the convolutions, Glorot and Bengio 2010 in the GRU."""
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight)  # type: ignore[arg-type]
        for name, parameter in self.rnn.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_normal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States of the GRU's last layer, one in 320 samples.

        Args:
            feats: (B, T, F), raw samples in [−1, 1], each frame's F samples after those of the frame before it; values
                outside are clamped.
            lengths: (B,), frames, on the CPU; an utterance's samples are F times as many.

        Raises:
            ValueError: an utterance is shorter than 400 samples. A traced graph cannot check it.
        """
        self._check(lengths)
        samples = zero_padding(feats, frame_mask(lengths, feats.shape[1], feats.device)).flatten(1)  # (B, T·F)
        lengths = lengths * self.samples_per_frame
        frames = samples.clamp(-1.0, 1.0)[:, None]  # (B, 1, T·F)
        for index, conv in enumerate(self.convs):
            frames = conv(frames)
            if index == 0:
                mask = frame_mask(num_outputs(lengths, *KERNEL_STRIDE[0]), frames.shape[2], frames.device)
                frames = self.norm(frames, mask)
            frames = functional.gelu(frames)
        lengths = num_outputs(lengths, FIELD, STRIDE)
        return run_recurrent(self.rnn, frames.transpose(1, 2), lengths), lengths  # (B, C, T') -> (B, T', C)

    def _check(self, lengths: torch.Tensor) -> None:
        if torch.compiler.is_compiling():
            return  # a traced graph cannot branch on values: its caller checks them
        if int(lengths.min()) < self.min_frames:
            index = int(lengths.argmin())
            found = int(lengths[index])
            raise ValueError(
                f"utterance {index} of the batch has {found} frames ({found * self.samples_per_frame} samples), the"
                f" convolutions see {FIELD} samples at once: {self.min_frames} frames or more; drop it"
            )


def num_outputs(lengths: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Places at which a convolution without padding sees real samples only: floor(1 + (L − kernel) / stride)."""
    return (lengths - kernel) // stride + 1
