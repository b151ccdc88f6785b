"""The figures of a page: each drawn once, put into the page, and saved beside it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from common.whole_files import writing_folder
from scoring.plots.canvas import Drawing

FOLDER = "figures"


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes:
        name: of its files, without suffix; also its id.
        svg: the element for the page.
        caption: what is special about this one of several like it.
    """

    name: str
    svg: str
    caption: str = ""

    @property
    def files(self) -> list[tuple[str, str]]:
        """Kind and relative path of the files beside the page."""
        return [(kind, f"{FOLDER}/{self.name}.{kind.lower()}") for kind in ("SVG", "PNG")]


class Gallery:
    """Collects figures until they are saved."""

    def __init__(self) -> None:
        self._drawings: dict[str, Drawing] = {}

    def add(self, name: str, drawing: Drawing, alternative: str, caption: str = "") -> PageFigure:
        """Keep a drawing under a name that is fit for a file and not used yet; returns what the page shows.

        Args:
            name: wanted.
            drawing: the figure.
            alternative: what it shows, for those who do not see it.
            caption: text below it.
        """
        base = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "figure"
        free, number = base, 2
        while free in self._drawings:
            free, number = f"{base}-{number}", number + 1
        self._drawings[free] = drawing
        return PageFigure(free, drawing.inline(free, html.escape(alternative)), caption)

    def save(self, folder: Path) -> None:
        """Write all files below `folder`, in place of those of an earlier page."""
        with writing_folder(folder / FOLDER) as hidden:
            for name, drawing in self._drawings.items():
                drawing.save(hidden, name)
