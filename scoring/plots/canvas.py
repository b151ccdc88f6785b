"""How a figure begins and ends: one style, SVG that is equal for equal input, and a copy that takes the page's colours.

A figure is drawn once, in the light colours of `PALETTE` and `ROLES`. In the copy for the page each of them is replaced
by a CSS variable, so that a dark page has light lines. Ids are prefixed, because a page holds many figures.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common.whole_files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can distinguish; without yellow, which a white page swallows.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6f6f70")
DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
INK, GRID, MUTED, PAPER = "#1c1d21", "#d9d9de", "#8a8a90", "#fffffe"
ROLES = {INK: "currentColor", GRID: "var(--rule)", MUTED: "var(--muted)", PAPER: "none"}
PNG_DPI = 160


class LineStyle(NamedTuple):
    """How one system is drawn in every figure."""

    color: str
    dashes: Any


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        svg: the whole file.
        png: the whole file.
    """

    svg: bytes
    png: bytes

    def inline(self, prefix: str, alternative: str) -> str:
        """The SVG element for a page.

        Args:
            prefix: of all its ids; differs from those of the page's other figures.
            alternative: what a screen reader says, as escaped text.
        """
        text = self.svg.decode()
        text = text[text.index("<svg") :]
        text = re.sub(r'(<svg[^>]*?) width="[^"]*pt"', r"\1", text, count=1)
        text = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", text, count=1)
        text = text.replace("<svg ", f'<svg role="img" aria-label="{alternative}" ', 1)
        text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
        text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
        text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
        for color, variable in page_colors().items():
            text = text.replace(color, variable)
        return text.strip()

    def save(self, folder: Path, name: str) -> None:
        """Write <name>.svg and <name>.png."""
        for suffix, content in (("svg", self.svg), ("png", self.png)):
            with writing(folder / f"{name}.{suffix}") as hidden:
                hidden.write_bytes(content)


def page_colors() -> dict[str, str]:
    """Color of a drawing -> what the page has in its place."""
    return {**ROLES, **{color: f"var(--c{number})" for number, color in enumerate(PALETTE, 1)}}


def line_style(number: int) -> LineStyle:
    """The style of the system with this number, from 0: colours first, then dashes; 28 differ."""
    return LineStyle(PALETTE[number % len(PALETTE)], DASHES[number // len(PALETTE) % len(DASHES)])


def _settings() -> Any:
    return {
        **{"svg.fonttype": "none", "svg.hashsalt": "report", "text.parse_math": False},
        **{"font.family": "DejaVu Sans", "font.size": 8.5, "text.color": INK, "axes.labelcolor": INK},
        **{"axes.edgecolor": MUTED, "axes.linewidth": 0.7, "axes.spines.top": False, "axes.spines.right": False},
        **{"axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.5, "axes.axisbelow": True},
        **{"axes.titlesize": 8.5, "axes.titlelocation": "left", "axes.labelsize": 8.5, "axes.unicode_minus": True},
        **{"xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK},
        **{"xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.frameon": False},
        **{"lines.linewidth": 1.4, "lines.solid_capstyle": "round"},
        **{"figure.facecolor": PAPER, "axes.facecolor": "none"},
    }


@contextmanager
def new_axes(width: float = 4.4, height: float = 3.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes in the report's style, which holds within the block.

    Args:
        width: inches.
        height: inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_settings()):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def legend_below(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """A legend under the axes, if something has a label; the figure grows by its height."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * rows + 0.05)
    spaces = {"handlelength": 2.2, "columnspacing": 1.2, "borderaxespad": 0.2}
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, **spaces)


def finish(figure: Figure) -> Drawing:
    """The files of a figure; the same figure gives the same bytes. Called within the block of `new_axes`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg, png = io.BytesIO(), io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)
    figure.set_layout_engine("none")  # all places have been found, and stay
    figure.set_dpi(PNG_DPI)
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    return Drawing(svg.getvalue(), png.getvalue())
