"""Time of the stages, one bar for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scoring.plots.canvas import PALETTE, Drawing, finish, legend_below, new_axes

SHADES = (1.0, 0.55)  # a second round of the colours is lighter


def draw_times(labels: Sequence[str], seconds: Sequence[Mapping[str, float]]) -> Drawing:
    """Stacked bars, rows from top to bottom.

    Args:
        labels: names of the rows.
        seconds: of each row: stage -> wall seconds.
    """
    stages = list(dict.fromkeys(stage for row in seconds for stage in row))
    with new_axes(4.4, 0.75 + 0.3 * len(labels)) as (figure, axes):
        scale, unit = (60.0, "minutes") if max(sum(row.values()) for row in seconds) > 300 else (1.0, "seconds")
        left = np.zeros(len(labels))
        for number, stage in enumerate(stages):
            widths = np.array([row.get(stage, 0.0) / scale for row in seconds])
            color, alpha = PALETTE[number % len(PALETTE)], SHADES[number // len(PALETTE) % len(SHADES)]
            axes.barh(range(len(labels)), widths, left=left, height=0.62, color=color, alpha=alpha, label=stage)
            left += widths
        axes.set_yticks(range(len(labels)), labels=labels)
        axes.set(xlabel=f"wall time, {unit}", ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        legend_below(figure, axes)
        return finish(figure)
