"""Mean, and mean with standard deviation, over the frames of each utterance."""

from __future__ import annotations

import torch

from nnet.masks import frame_mask, zero_padding
from nnet.parts import Pooling
from nnet.pooling import PoolingOptions, StatisticsOptions


class MeanPooling(Pooling):
    """(B, T, C) → (B, C)."""

    def __init__(self, options: PoolingOptions, in_dim: int) -> None:
        super().__init__(out_dim=in_dim)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Mean of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        frames = zero_padding(frames, frame_mask(lengths, frames.shape[1], frames.device))
        return frames.sum(dim=1) / lengths.to(frames)[:, None]


def mean_and_deviation(
    frames: torch.Tensor,
    lengths: torch.Tensor,
    mask: torch.Tensor | None,
    variance_floor: float,
    unbiased: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each utterance's own frames.

    Args:
        frames: (B, T, C).
        lengths: (B,).
        mask: bool (B, T), or None if no frame is padding.
        variance_floor: the least variance; under it the gradient is 0.
        unbiased: divide by T − 1, or 1 for one frame; otherwise by T.

    Returns:
        each (B, C).
    """
    counts = lengths.to(frames)[:, None]
    mean = zero_padding(frames, mask).sum(dim=1) / counts
    # Deviations from the mean, not E[x²] − mean²: the difference of two large numbers can come out below zero.
    deviations = zero_padding(frames - mean[:, None, :], mask)
    variance = deviations.square().sum(dim=1) / ((counts - 1).clamp(min=1) if unbiased else counts)
    return mean, variance.clamp(min=variance_floor).sqrt()


class StatisticsPooling(Pooling):
    """(B, T, C) → (B, 2C): means, then standard deviations.

    The variance is the biased one (divided by T) unless `unbiased` is set, 0 and not NaN for one frame, and has a
    floor, under which the gradient is 0 and not infinite. Source: Snyder et al. 2017;
    Kaldi's StatisticsPoolingComponent.
    """

    def __init__(self, options: StatisticsOptions, in_dim: int) -> None:
        super().__init__(out_dim=2 * in_dim)
        self.variance_floor, self.unbiased = options.variance_floor, options.unbiased

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Statistics of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        moments = mean_and_deviation(frames, lengths, mask, self.variance_floor, self.unbiased)
        return torch.cat(moments, dim=1)  # 2 × (B, C) -> (B, 2C)
