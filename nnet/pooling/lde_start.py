"""The first dictionary of a dictionary encoding, from the frames of the first batch.

The encoder's frames have a scale and a centre of their own: after a ReLU they lie in one orthant, far from entries
drawn from -1 to 1, and one entry is then the nearest to nearly every frame. Entries that are frames themselves, or
centres of clusters of frames, lie among them.
"""

from __future__ import annotations

import torch

ITERATIONS = 10  # of k-means; from random frames the mean distance changes by under 1 % after these
JITTER = 0.01  # of the frames' deviation: entries that are the same frame part


def drawn_frames(frames: torch.Tensor, entries: int) -> torch.Tensor:
    """Different frames, drawn by torch's generator of the CPU; if there are too few, some come again.

    Args:
        frames: (N, C).
        entries: D.

    Returns:
        (D, C).
    """
    order = torch.randperm(len(frames))  # on the CPU, so that it is the same on each device
    return frames[order[torch.arange(entries) % len(order)].to(frames.device)]


def cluster_centres(frames: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Lloyd's algorithm: each frame goes to its nearest centre, each centre to the mean of its frames.

    A centre without frames stays. Sums are matrix products, whose order does not vary on CUDA as atomic additions do.
    torch's distances of many frames lose their digits far from zero, so the frames' mean is zero here.

    Args:
        frames: (N, C).
        centres: (D, C), where it begins.

    Returns:
        (D, C).
    """
    mean = frames.mean(dim=0)
    frames, centres = frames - mean, centres - mean
    for _ in range(ITERATIONS):
        nearest = torch.cdist(frames, centres).argmin(dim=1)
        member = torch.nn.functional.one_hot(nearest, len(centres)).to(frames)  # (N, D)
        counts = member.sum(dim=0)[:, None]
        centres = torch.where(counts > 0, member.T @ frames / counts.clamp(min=1), centres)
    return centres + mean


def first_dictionary(frames: torch.Tensor, entries: int, clusters: bool) -> torch.Tensor:
    """A dictionary that lies among frames.

    Args:
        frames: (N, C), one or more.
        entries: D.
        clusters: centres of clusters, else frames.

    Returns:
        (D, C).
    """
    deviation = frames.std(dim=0, correction=0)
    noise = (2 * torch.rand(entries, frames.shape[1]) - 1).to(frames)
    drawn = drawn_frames(frames, entries) + JITTER * deviation * noise
    return cluster_centres(frames, drawn) if clusters else drawn
