"""What the attentive poolings share: weights over time, weighted moments, batch norm over frames.

A mask (B, T) is that of `nnet.masks.frame_mask`: None if no frame is padding.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import zero_padding


def weights_over_time(scores: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Softmax over time of scores (B, T, H): each utterance's own frames sum to 1, its padding has weight 0."""
    if mask is not None:
        scores = scores.masked_fill(~mask[:, :, None], -torch.inf)
    return scores.softmax(dim=1)


def about_own_mean(frames: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames relative to their utterance's plain mean, so that sums of squares of frames far from zero do not cancel.

    The mean carries no gradient: it is for results that the shift does not alter.

    Args:
        frames: (B, T, C), with zeros in the padding.
        mask: (B, T) or None.

    Returns:
        (B, T, C), with zeros in the padding, and the mean, (B, 1, C).
    """
    counts = frames.shape[1] if mask is None else mask.sum(dim=1)[:, None, None]
    mean = (frames.sum(dim=1, keepdim=True) / counts).detach()
    return zero_padding(frames - mean, mask), mean


def weighted_moments(
    frames: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of frames under weights of each head.

    The variance is Σ w x² − (Σ w x)², two matrix products; deviations from each head's mean would be a
    (B, T, C, H) tensor. As the difference of two large numbers it would be wrong by 1e-7 x²; so x is first taken
    relative to the utterance's plain mean. That shift alters neither moment, which is why it carries no gradient.

    Args:
        frames: (B, T, C), with zeros in the padding.
        weights: (B, T, H), sum 1 over time, 0 in the padding.
        mask: (B, T) or None.

    Returns:
        mean and variance, each (B, C, H); rounding may take the variance a little below 0.
    """
    relative, shift = about_own_mean(frames, mask)
    relative = relative.transpose(1, 2)  # (B, T, C) -> (B, C, T)
    mean = relative @ weights  # (B, C, T) @ (B, T, H) -> (B, C, H)
    return mean + shift.transpose(1, 2), relative.square() @ weights - mean.square()


def normalise_frames(norm: nn.BatchNorm1d, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Batch norm of frames (B, T, C) over batch and time; while training, padding enters no mean and no variance.

    Training chunks are of one length, so the mask is None there; the other way is for batches of several lengths, and
    for traced graphs, whose shapes may not depend on the lengths: so frames are weighted, not gathered.

    Returns:
        (B, T, C); where padding was left out, it is zero.

    Raises:
        ValueError: one frame in all, which has no variance.
    """
    if mask is None or not norm.training:
        return norm(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    count = mask.sum()
    if len(frames) == 1 and not torch.compiler.is_compiling() and int(count) < 2:
        raise ValueError("batch norm while training: the batch has one frame in all; expected two or more")
    mean = zero_padding(frames, mask).sum(dim=(0, 1)) / count  # (B, T, C) -> (C,)
    deviations = zero_padding(frames - mean, mask)
    variance = deviations.square().sum(dim=(0, 1)) / count
    _follow(norm, mean.detach(), variance.detach() * count / (count - 1))
    gain = (variance + norm.eps).rsqrt()
    if not norm.affine:
        return zero_padding(deviations * gain, mask)
    return zero_padding(deviations * (gain * norm.weight) + norm.bias, mask)


def _follow(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Let the running moments follow those of a batch, (C,), the variance unbiased, as the layer itself does."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
    norm.running_var.lerp_(variance.to(norm.running_var), norm.momentum)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
