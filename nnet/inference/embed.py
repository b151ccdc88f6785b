"""Embeddings of whole utterances in batches of similar length; the batch does not change the result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from nnet.model import SpeakerNet


def batches_by_length(num_frames: Sequence[int] | npt.NDArray[np.int32], max_frames: int) -> list[list[int]]:
    """Group utterances so that those of a batch are of similar length.

    Args:
        num_frames: length of each.
        max_frames: frames of a batch with its padding, at most; a longer utterance is a batch of its own.

    Returns:
        Places in `num_frames`, the shortest first.
    """
    batches: list[list[int]] = []
    for place in np.argsort(np.asarray(num_frames), kind="stable").tolist():
        # in rising order the newest utterance is the longest of its batch
        if not batches or (len(batches[-1]) + 1) * int(num_frames[place]) > max_frames:
            batches.append([])
        batches[-1].append(place)
    return batches


@torch.inference_mode()
def embed_batch(net: SpeakerNet, feats: Sequence[npt.NDArray[np.float32]], device: torch.device) -> torch.Tensor:
    """Embeddings of utterances, in float32.

    Args:
        net: in eval mode.
        feats: matrices (T, F), padded here.
        device: where the network is.

    Returns:
        float32 (B, E) on the CPU.
    """
    lengths = torch.tensor([len(each) for each in feats])
    padded = torch.zeros(len(feats), int(lengths.max()), feats[0].shape[1])
    for row, each in zip(padded, feats, strict=True):
        row[: len(each)] = torch.from_numpy(each)
    return net.embed(padded.to(device), lengths).cpu()


def embed_long(
    net: SpeakerNet, feats: npt.NDArray[np.float32], max_frames: int, device: torch.device
) -> torch.Tensor:
    """Embedding of an utterance that is too long to be computed at once: the mean over pieces of equal length.

    Source: Kaldi's nnet3-xvector-compute averages over --chunk-size pieces; here they differ by one frame at most, so
    that no short rest weighs as much as a whole piece.

    Returns:
        float32 (E,) on the CPU.
    """
    pieces = np.array_split(feats, -(-len(feats) // max_frames))
    embeddings = torch.cat([embed_batch(net, [piece], device) for piece in pieces])
    weights = torch.tensor([len(piece) / len(feats) for piece in pieces])
    return weights @ embeddings
