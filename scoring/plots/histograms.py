"""Histogram of the scores of targets and nontargets of one system."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.plots.canvas import INK, PALETTE, Drawing, finish, legend_below, new_axes

NUM_BINS = 60
TAIL = 0.0005  # share of the trials on each side that the axis leaves out


def score_densities(
    scores: NDArray[np.float64], is_target: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Densities of the scores of both kinds.

    Args:
        scores: (N,).
        is_target: (N,).

    Returns:
        edges: (NUM_BINS + 1,), equally wide bins without the outermost scores.
        targets: (NUM_BINS,), share of the targets per unit of the score.
        nontargets: (NUM_BINS,), the same of the nontargets.
    """
    low, high = np.quantile(scores, [TAIL, 1.0 - TAIL])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, NUM_BINS + 1)
    width = edges[1] - edges[0]
    kinds = (scores[is_target], scores[~is_target])
    targets, nontargets = (np.histogram(kind, edges)[0] / (len(kind) * width) for kind in kinds)
    return edges, targets, nontargets


def draw_histogram(
    title: str, scores: NDArray[np.float64], is_target: NDArray[np.bool_], threshold: float
) -> Drawing:
    """Both densities over each other, with a line at the threshold of the EER.

    Args:
        title: name of the system.
        scores: (N,).
        is_target: (N,).
        threshold: where the error rates are equal.
    """
    edges, targets, nontargets = score_densities(scores, is_target)
    with new_axes(3.2, 1.8) as (figure, axes):
        for density, color, label in ((nontargets, PALETTE[1], "nontargets"), (targets, PALETTE[0], "targets")):
            axes.stairs(density, edges, fill=True, color=color, alpha=0.25, linewidth=0)
            axes.stairs(density, edges, color=color, linewidth=1.3, label=label)
        axes.axvline(threshold, color=INK, linewidth=0.8, linestyle=(0, (3, 2)), label="EER threshold")
        axes.set(title=title, xlabel="score", yticks=[], ylim=(0, None), xlim=(edges[0], edges[-1]))
        axes.spines["left"].set_visible(False)
        legend_below(figure, axes, columns=3)
        return finish(figure)
