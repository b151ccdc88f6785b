"""Utterances that are shorter than an encoder can see."""

from __future__ import annotations

import torch


def lengthen(
    feats: torch.Tensor, lengths: torch.Tensor, min_frames: int, pad_short: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring short utterances to `min_frames` by repeating first and last frame, as nnet3-xvector-compute does.

    Args:
        feats: (B, T, F); the padding is not read.
        lengths: (B,), on the CPU, each at least 1.
        min_frames: the fewest frames that the encoder can take.
        pad_short: if false, a short utterance is an error.

    Returns:
        feats (B, max(T, min_frames), F) and lengths (B,), each at least `min_frames`. The same two tensors if no
        utterance is short; in a traced graph, which cannot ask that, the padding of all is replaced by repetition.

    Raises:
        ValueError: an utterance is shorter and `pad_short` is off. A traced graph cannot check it.
    """
    tracing = torch.compiler.is_compiling()
    if not tracing and int(lengths.min()) >= min_frames:
        return feats, lengths
    if not pad_short:
        if tracing:
            return feats, lengths
        index = int(lengths.argmin())
        raise ValueError(
            f"utterance {index} of the batch has {int(lengths[index])} frames, the encoder needs {min_frames}; drop it "
            f"or set encoder.pad_short=true"
        )
    before = (min_frames - lengths).clamp(min=0)[:, None] // 2
    num_frames = max(feats.shape[1], min_frames)
    source = (torch.arange(num_frames)[None, :] - before).clamp(min=0)  # (B, T): which input frame stands here
    source = torch.minimum(source, lengths[:, None] - 1).to(feats.device)
    return feats.gather(1, source[:, :, None].expand(-1, -1, feats.shape[2])), lengths.clamp(min=min_frames)
