"""Which frames are real: masks from lengths."""

from __future__ import annotations

import torch


def frame_mask(lengths: torch.Tensor, num_frames: int, device: torch.device) -> torch.Tensor | None:
    """True at the frames that belong to an utterance; None if no frame is padding, so that callers skip the work.

    Args:
        lengths: (B,), on the CPU, so that asking whether there is padding waits for no device.
        num_frames: T.
        device: of the mask.

    Returns:
        bool (B, T), or None.
    """
    # A traced graph (torch.compile, torch.export) cannot branch on values: there the mask is always made.
    if not torch.compiler.is_compiling() and bool((lengths == num_frames).all()):
        return None
    return (torch.arange(num_frames) < lengths[:, None].cpu()).to(device)


def zero_padding(frames: torch.Tensor, mask: torch.Tensor | None, time_dim: int = 1) -> torch.Tensor:
    """`frames` (B, ..., T, ...), T at `time_dim`, with zeros where the mask (B, T) is False, even over NaN."""
    if mask is None:
        return frames
    shape = [1] * frames.dim()
    shape[0], shape[time_dim] = mask.shape
    return frames.masked_fill(~mask.reshape(shape), 0.0)
