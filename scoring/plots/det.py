"""DET curves on normal-deviate axes, with their operating points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scoring.det_points import DetCurve, normal_deviate
from scoring.plots.canvas import INK, MUTED, Drawing, finish, legend_below, line_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
MARKERS = {"EER": "o", "minDCF(0.01)": "v", "minDCF(0.001)": "D", "minDCF(0.05)": "^"}
HIGHEST = 0.6
FEW_CURVES = 8  # more curves have only the first two marks


def draw_det(labels: Sequence[str], curves: Sequence[DetCurve]) -> Drawing:
    """The curves of several systems.

    Args:
        labels: names of the systems.
        curves: one for each.
    """
    with new_axes(4.4, 4.2) as (figure, axes):
        low, high = _limits(curves)
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.7)
        names = list(MARKERS) if len(curves) <= FEW_CURVES else list(MARKERS)[:2]
        for number, (label, curve) in enumerate(zip(labels, curves, strict=True)):
            style = line_style(number)
            x, y = normal_deviate(curve.fpr), normal_deviate(curve.fnr)
            axes.plot(x, y, color=style.color, linestyle=style.dashes, label=label)
            for point in curve.marked:
                place = normal_deviate(np.array([point.fpr, point.fnr]))
                if point.name in names and low <= place.min() and place.max() <= high:
                    axes.plot(*place, MARKERS[point.name], color=style.color, markersize=4.5, clip_on=False)
        _scale(axes, low, high)
        for name in names:
            axes.plot([], [], MARKERS[name], color=INK, markersize=4, label=name)
        legend_below(figure, axes)
        return finish(figure)


def _limits(curves: Sequence[DetCurve]) -> tuple[float, float]:
    """Deviates from a tick below the smallest rate that is not 0, while the other is at most HIGHEST, to HIGHEST."""
    pairs = [pair for curve in curves for pair in ((curve.fpr, curve.fnr), (curve.fnr, curve.fpr))]
    inside = [rates[(rates > 0) & (rates <= HIGHEST) & (others <= HIGHEST)] for rates, others in pairs]
    smallest = min((float(rates.min()) for rates in inside if len(rates)), default=TICKS[0])
    lowest = max([tick for tick in TICKS[:-1] if tick <= smallest] or [TICKS[0] / 2])
    low, high = normal_deviate(np.array([lowest, HIGHEST]))
    return float(low), float(high)


def _scale(axes: Axes, low: float, high: float) -> None:
    places = normal_deviate(np.array(TICKS))
    shown = [(place, f"{100 * tick:g}") for place, tick in zip(places, TICKS, strict=True) if low <= place <= high]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([place for place, _ in shown], labels=[text for _, text in shown])
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xlabel="false alarms: nontargets accepted, %", ylabel="misses: targets rejected, %")
