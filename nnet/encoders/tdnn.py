"""The x-vector's frame-level layers.

Source: Snyder et al. 2018, "X-vectors: Robust DNN Embeddings for Speaker Recognition", table 1; Kaldi's
egs/voxceleb/v2 layers tdnn1 … tdnn5. As there, a layer is affine → ReLU → batch norm, and no layer pads, so the five
layers turn T frames into T − 14. Differs: Kaldi's batch norm has no learnt scale and shift.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.encoders import TdnnOptions

KERNEL_DILATION = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))  # contexts {-2..2}, {-2,0,2}, {-3,0,3}, {0}, {0}
CONTEXT = sum((kernel - 1) * dilation for kernel, dilation in KERNEL_DILATION)


class Tdnn(nn.Module):
    """(B, T, F) → (B, T − 14, C)."""

    min_frames = CONTEXT + 1

    def __init__(self, options: TdnnOptions, in_dim: int) -> None:
        super().__init__()
        self.pad_short = options.pad_short
        self.out_dim = options.last_width
        widths = [in_dim, *[options.width] * (len(KERNEL_DILATION) - 1), options.last_width]
        self.layers = nn.Sequential(
            *[
                nn.Sequential(nn.Conv1d(i, o, kernel, dilation=dilation), nn.ReLU(), nn.BatchNorm1d(o))
                for i, o, (kernel, dilation) in zip(widths[:-1], widths[1:], KERNEL_DILATION, strict=True)
            ]
        )

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames of the last layer, each a function of the 15 input frames around it and of nothing else.

        Args:
            feats: (B, T, F). lengths: (B,), on the CPU.

        Raises:
            ValueError: an utterance is shorter than 15 frames and ``pad_short`` is off.
        """
        if int(lengths.min()) < self.min_frames:
            feats, lengths = self._lengthen(feats, lengths)
        frames = self.layers(feats.transpose(1, 2)).transpose(1, 2)  # (B, T, F) -> (B, F, T) -> (B, T - 14, C)
        return frames, lengths - CONTEXT

    def _lengthen(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring short utterances to 15 frames by repeating first and last frame, as nnet3-xvector-compute does."""
        if not self.pad_short:
            index = int(lengths.argmin())
            raise ValueError(
                f"utterance {index} of the batch has {int(lengths[index])} frames, the encoder needs "
                f"{self.min_frames}; drop it or set encoder.pad_short=true"
            )
        before = (self.min_frames - lengths).clamp(min=0)[:, None] // 2
        num_frames = max(feats.shape[1], self.min_frames)
        source = (torch.arange(num_frames)[None, :] - before).clamp(min=0)  # (B, T): which input frame stands here
        source = torch.minimum(source, lengths[:, None] - 1).to(feats.device)
        repeated = feats.gather(1, source[:, :, None].expand(-1, -1, feats.shape[2]))
        return repeated, lengths.clamp(min=self.min_frames)
