"""Embeddings on a plane, coloured by a name that each has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.plots.canvas import PALETTE, Drawing, finish, legend_below, new_axes

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")
LONGEST_LEGEND = 3


def draw_map(title: str, points: NDArray[np.float64], names: Sequence[str]) -> Drawing:
    """A scatter plot; each name has its colour and, if there are many, its marker.

    Args:
        title: of the figure.
        points: (N, 2).
        names: N names, as of speakers or genders.
    """
    all_names = sorted(set(names))
    chosen = np.array(names)
    with new_axes(2.6, 2.5) as (figure, axes):
        for number, name in enumerate(all_names):
            color = PALETTE[number % len(PALETTE)]
            marker = MARKERS[number // len(PALETTE) % len(MARKERS)]
            x, y = points[chosen == name].T
            axes.plot(x, y, marker, color=color, markersize=3.0, markeredgewidth=0, label=name)
        axes.set(title=title, xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, linewidth=0.5)
        if len(all_names) <= LONGEST_LEGEND:
            legend_below(figure, axes, columns=3)
        return finish(figure)
