"""The equal error rate by Kaldi's convention."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError


def kaldi_eer(targets: NDArray[np.floating], nontargets: NDArray[np.floating]) -> tuple[float, float]:
    """EER as a share, and its threshold, by Kaldi's search in the sorted target scores.

    The search goes up from the lowest target score, and ends at the first one that exceeds the nontarget score at the
    same share from the top; the share of targets below it is the EER. Nothing is interpolated, so the value is a
    multiple of one over the number of targets. Scores, share and threshold are float32, as in Kaldi: 81 of 800 is
    0.10125000029, which is printed as 10.13 %; the exact 10.125 would be rounded to 10.12.

    Args:
        targets: scores (N,) of target trials, higher for the same speaker.
        nontargets: scores (M,) of nontarget trials.

    Raises:
        KaldiError: there are no targets, or no nontargets, or a score is NaN.

    Source: ivectorbin/compute-eer.cc, ComputeEer.
    """
    if targets.size == 0:
        raise KaldiError("No target scores seen.")
    if nontargets.size == 0:
        raise KaldiError("No non-target scores seen.")
    if np.isnan(targets).any() or np.isnan(nontargets).any():
        raise KaldiError("a score is NaN: look for NaN in the embeddings")
    with np.errstate(over="ignore"):  # a score beyond float32 becomes infinite
        low_first, nontarget_sorted = (np.sort(scores.astype(np.float32)) for scores in (targets, nontargets))
    position = np.arange(targets.size)
    opposite = np.maximum(nontargets.size - 1 - (nontargets.size * position) // targets.size, 0)
    crossed = nontarget_sorted[opposite] < low_first
    crossed[-1] = True  # the search ends at the last target at the latest
    found = int(np.argmax(crossed))
    return float(np.float32(found / targets.size)), float(low_first[found])
