"""Squeeze-and-excitation: each channel is scaled by a factor that depends on the means of all channels.

Source: Hu et al. 2018, "Squeeze-and-excitation networks", equations 2-4. The mean is over an utterance's own frames.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import zero_padding


def masked_mean(planes: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Mean over time and any further dimension of each utterance's own frames, in float32 at least.

    Args:
        planes: (B, C, T, ...).
        mask: bool (B, T), True at real frames; None if every frame is real.

    Returns:
        (B, C).
    """
    precision = torch.promote_types(planes.dtype, torch.float32)  # bf16 cannot hold a count of frames
    rest = tuple(range(2, planes.dim()))
    if mask is None:
        return planes.mean(dim=rest, dtype=precision)
    sums = zero_padding(planes, mask, time_dim=2).sum(dim=rest, dtype=precision)
    columns = planes[0, 0, 0].numel()  # of each frame: 1 in (B, C, T), F in (B, C, T, F)
    return sums / (mask.sum(dim=1, keepdim=True) * columns)


class SqueezeExcitation(nn.Module):
    """(B, C, T, ...) → the same shape; linear C → H, ReLU, linear H → C, sigmoid give the factors.

    Args:
        channels: C.
        hidden: H.
        bias: whether the two linear layers have one.
    """

    def __init__(self, channels: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden, bias=bias)
        self.excite = nn.Linear(hidden, channels, bias=bias)

    def forward(self, planes: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Scaled channels; what `planes` holds where `mask` (B, T) is False does not enter the factors."""
        factors = self.excite(self.squeeze(masked_mean(planes, mask)).relu()).sigmoid()
        return planes * factors.reshape(*factors.shape, *[1] * (planes.dim() - 2))  # (B, C) -> (B, C, 1, ...)
