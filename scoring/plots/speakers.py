"""The EER of each speaker, one strip of dots for each system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.plots.canvas import INK, Drawing, finish, line_style, new_axes


def draw_speakers(labels: Sequence[str], values: Sequence[Sequence[float]], axis: str) -> Drawing:
    """Dots of the speakers, systems from top to bottom; a stroke at the median.

    Args:
        labels: names of the systems.
        values: one list for each system, a value for each speaker.
        axis: what the horizontal axis shows.
    """
    with new_axes(4.4, 0.7 + 0.34 * len(labels)) as (figure, axes):
        for place, speakers in enumerate(values):
            style = line_style(place)
            heights = place + np.array(stacked(speakers))
            axes.plot(speakers, heights, "o", color=style.color, alpha=0.6, markersize=3.2, markeredgewidth=0)
            if len(speakers):
                middle = float(np.median(speakers))
                axes.plot([middle, middle], [place - 0.33, place + 0.33], color=INK, linewidth=1.1)
        axes.set_yticks(range(len(labels)), labels=labels)
        axes.set(xlabel=axis, xlim=(-0.5, None), ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        return finish(figure)


def stacked(values: Sequence[float], bins: int = 50, most: float = 0.36) -> list[float]:
    """A height for each value, so that equal values lie beside each other: 0, up, down, further up … at most `most`."""
    top = max(values, default=0.0) or 1.0
    counts: dict[int, int] = {}
    heights = []
    for value in values:
        place = int(bins * value / top)
        count = counts[place] = counts.get(place, 0) + 1
        heights.append((count // 2) * (-1.0 if count % 2 else 1.0))
    largest = max(map(abs, heights), default=0.0)
    step = min(0.09, most / largest) if largest else 0.0
    return [step * height for height in heights]
