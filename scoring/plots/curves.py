"""Training curves of several rows in one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scoring.plots.canvas import Drawing, finish, legend_below, line_style, new_axes

Points = tuple[Sequence[float], Sequence[float]]
MOST_CURVE_POINTS = 200


def thinned_curve(curve: Points) -> Points:
    """At most MOST_CURVE_POINTS points of a curve, evenly spread over its list, with its first and its last."""
    steps, values = curve
    if len(steps) <= MOST_CURVE_POINTS:
        return curve
    chosen = np.linspace(0, len(steps) - 1, MOST_CURVE_POINTS).round().astype(int).tolist()
    return [steps[place] for place in chosen], [values[place] for place in chosen]


def draw_curves(labels: Sequence[str], curves: Sequence[Points], axis: str, log_scale: bool = False) -> Drawing:
    """Values over the steps of training.

    Args:
        labels: names of the rows.
        curves: steps and values of each, thinned if there are many; both may be empty: the row is left out, and the
            others keep their styles.
        axis: what the vertical axis shows.
        log_scale: of the vertical axis.
    """
    from matplotlib.ticker import NullFormatter

    with new_axes(4.4, 2.7) as (figure, axes):
        for number, (label, (steps, values)) in enumerate(zip(labels, map(thinned_curve, curves), strict=True)):
            if not len(steps):
                continue
            style = line_style(number)
            marker = "o" if len(steps) < 30 else ""
            axes.plot(
                steps, values, color=style.color, linestyle=style.dashes, linewidth=1.2, marker=marker, markersize=2.2,
                label=label,
            )  # fmt: skip
        positive = any(value > 0 for _, values in curves for value in values)
        if log_scale and positive:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if _decades(curves) < 1.5 else NullFormatter())
        else:
            axes.set_ylim(0, None)
        axes.set(xlabel="training step", ylabel=axis, xlim=(0, None))
        if len(labels) > 1:
            legend_below(figure, axes)
        return finish(figure)


def _decades(curves: Sequence[Points]) -> float:
    """How many decades the positive values span."""
    positive = [value for _, values in curves for value in values if value > 0]
    return math.log10(max(positive) / min(positive))
