"""Embeddings of a group of utterances: their windows, or pieces of long ones, are computed in padded batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from nnet.inference.embed import batches_by_length, embed_batch, embed_long
from nnet.inference.limits import BatchLimits
from nnet.inference.loading import Model
from nnet.inference.reading import UttFeats
from nnet.inference.windows import WindowCounts, cut_windows, lengthened
from nnet.model import NORM_FLOOR


def embed_group(
    model: Model, group: Sequence[UttFeats], limits: BatchLimits, counts: WindowCounts
) -> npt.NDArray[np.float32]:
    """Embeddings of some utterances, in their order; their windows are batched together.

    Returns:
        float32 (N, E).
    """
    options, limits = model.inference, limits.of(model.net)
    cuts = [cut_windows(len(rows), options, model.min_frames) for _, rows in group]
    counts.add(cuts, [len(rows) for _, rows in group], options)
    pieces = [
        (place, rows[start:stop])
        for place, ((_, whole), each) in enumerate(zip(group, cuts, strict=True))
        for rows in [lengthened(whole, options)]
        for start, stop in each.spans
    ]
    sums = torch.zeros(len(group), model.net.embedding_dim, dtype=torch.float64)
    for batch in batches_by_length([len(rows) for _, rows in pieces], limits.batch_frames):
        embeddings = embed_pieces(model, [pieces[index][1] for index in batch], limits)
        sums.index_add_(0, torch.tensor([pieces[index][0] for index in batch]), embeddings.double())
    means = sums / torch.tensor([len(each.spans) for each in cuts])[:, None]
    return (functional.normalize(means, eps=NORM_FLOOR) if model.unit else means).float().numpy()


def embed_pieces(model: Model, pieces: Sequence[npt.NDArray[np.float32]], limits: BatchLimits) -> torch.Tensor:
    """Embeddings of one batch, utterances or windows: float32 (B, E) on the CPU."""
    if len(pieces[0]) > limits.piece_frames:  # then it is alone in its batch
        embeddings = embed_long(model.net, pieces[0], limits.piece_frames, model.device)[None]
    else:
        embeddings = embed_batch(model.net, pieces, model.device)
    return functional.normalize(embeddings, eps=NORM_FLOOR) if model.inference.normalise else embeddings
