"""Posteriors without their small shares."""

from __future__ import annotations

import numpy as np

from minikaldi.gmm.selection import GaussPairs, starts_of
from minikaldi.gmm.triangles import Float32Array
from minikaldi.io import FramePosteriors


def pruned(shares: Float32Array, pairs: GaussPairs, min_post: float) -> FramePosteriors:
    """The shares of at least `min_post`, scaled to the sum 1; of a frame that has none the largest, which becomes 1.

    Args:
        shares: (N,) of the pairs; the sum of each frame's is 1.
        pairs: the pairs.
        min_post: least share; 0: only shares of 0 are left out, and nothing is scaled.

    Source: fgmmbin/fgmm-global-gselect-to-post.cc.
    """
    if not min_post:
        kept = shares != 0
        counts = np.add.reduceat(kept, pairs.starts[:-1], dtype=np.int32)
        return FramePosteriors(counts, pairs.selection.indices[kept], shares[kept])
    kept = shares >= np.float32(min_post)
    counts = np.add.reduceat(kept, pairs.starts[:-1], dtype=np.int32)
    for frame in np.flatnonzero(counts == 0):
        begin, end = pairs.starts[frame : frame + 2]
        kept[begin + np.argmax(shares[begin:end])] = True
        counts[frame] = 1
    some = shares[kept]
    with np.errstate(invalid="ignore"):
        some /= np.repeat(np.add.reduceat(some, starts_of(counts)[:-1]), counts)
    return FramePosteriors(counts, pairs.selection.indices[kept], some)
