"""Figures with their intervals: one row for each system, or one line of points over groups of trials."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.bootstrap import Interval
from scoring.plots.canvas import PALETTE, Drawing, finish, legend_below, line_style, new_axes

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
MOST_WITH_INTERVALS = 3  # systems in a figure over groups; more intervals hide one another
Series = Sequence[Interval | None]


def draw_intervals(labels: Sequence[str], series: Sequence[tuple[str, Series]], axis: str) -> Drawing:
    """Points with intervals, systems from top to bottom.

    Args:
        labels: names of the rows.
        series: name and figures, one for each row, of each kind; None: not known.
        axis: what the horizontal axis shows.
    """
    with new_axes(4.4, 0.7 + 0.26 * len(labels) * max(1.0, 0.45 * len(series))) as (figure, axes):
        step = 0.62 / max(1, len(series))
        for number, (name, figures) in enumerate(series):
            shift = (number - (len(series) - 1) / 2) * step
            known = [(place + shift, each) for place, each in enumerate(figures) if each is not None]
            color = PALETTE[number % len(PALETTE)]
            for place, each in known:
                axes.plot([each.low, each.high], [place, place], color=color, linewidth=1.2)
            values = [each.value for _, each in known]
            marker = MARKERS[number % len(MARKERS)]
            axes.plot(values, [place for place, _ in known], marker, color=color, markersize=4, label=name)
        axes.set_yticks(range(len(labels)), labels=labels)
        axes.set(xlabel=axis, xlim=(0, None), ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if len(series) > 1:
            legend_below(figure, axes)
        return finish(figure)


def draw_groups(groups: Sequence[str], labels: Sequence[str], series: Sequence[Series], axis: str) -> Drawing:
    """A line of points for each system over groups of trials, with intervals if the systems are few.

    Args:
        groups: names of the groups, on the horizontal axis.
        labels: names of the systems.
        series: one for each system: figures of the groups; None: not known.
        axis: what the vertical axis shows.
    """
    with new_axes(4.4, 2.8) as (figure, axes):
        width = 0.5 / max(1, len(labels))
        for number, (label, figures) in enumerate(zip(labels, series, strict=True)):
            style = line_style(number)
            shift = (number - (len(labels) - 1) / 2) * width
            known = [(place + shift, each) for place, each in enumerate(figures) if each is not None]
            for place, each in known if len(labels) <= MOST_WITH_INTERVALS else ():
                axes.plot([place, place], [each.low, each.high], color=style.color, linewidth=0.9)
            x, y = [place for place, _ in known], [each.value for _, each in known]
            axes.plot(x, y, color=style.color, linestyle=style.dashes, marker="o", markersize=3.2, label=label)
        axes.set_xticks(range(len(groups)), labels=groups)
        axes.set(ylabel=axis, ylim=(0, None), xlim=(-0.5, len(groups) - 0.5))
        axes.grid(visible=False, axis="x")
        legend_below(figure, axes)
        return finish(figure)
