"""The posteriors of the utterances of a block, computed together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmm.pruning import pruned
from minikaldi.gmm.selection import GaussPairs, frame_starts, joined, softmax_by_frame
from minikaldi.gmm.triangles import Float64Array
from minikaldi.gmmbin.frame_tables import Utterance
from minikaldi.io import FramePosteriors


def block_posteriors(
    scorer: FullScorer, block: list[Utterance], min_post: float
) -> Iterator[tuple[str, Float64Array, FramePosteriors]]:
    """Key, log-likelihood of each frame (T,) and posteriors of each utterance.

    Args:
        scorer: of the model.
        block: utterances with selected Gaussians.
        min_post: shares below it are left out; 0: none.
    """
    used = [one for one in block if len(one.feats)]
    likes, posteriors = np.zeros(0), FramePosteriors(*(np.zeros(0, kind) for kind in ("i4", "i4", "f4")))
    if used:
        selection = joined([one.selection for one in used if one.selection is not None])
        feats = np.concatenate([one.feats for one in used])
        pairs = GaussPairs(selection, scorer.num_gauss)
        likes, shares = softmax_by_frame(scorer.pair_log_likes(feats, pairs), pairs)
        posteriors = pruned(shares, pairs, min_post)
    starts = frame_starts(posteriors)
    first = 0
    for one in block:
        end = first + len(one.feats)
        entries = slice(starts[first], starts[end])
        own = FramePosteriors(posteriors.counts[first:end], posteriors.indices[entries], posteriors.shares[entries])
        yield one.key, likes[first:end], own
        first = end
