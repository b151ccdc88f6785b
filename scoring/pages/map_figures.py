"""The maps of a page: how many there are, which systems have one, and how many embeddings each shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scoring.embedding_map import embedding_map
from scoring.pages.gallery import Gallery, PageFigure
from scoring.pages.rows import ReportRow, ReportSpec
from scoring.pages.set_facts import GENDERS, SetFacts
from scoring.plots.maps import draw_map

MOST_POINTS, MOST_POINTS_OF_MAP = 6000, 1000
"""Embeddings on all maps of a page, and on one: each is an element of the page."""

MOST_MAPPED = 12
"""Times that a page maps a system on a test set, each by speaker and by gender."""


@dataclass
class SetMaps:
    """The maps of a test set.

    Attributes:
        figures: of the systems that are mapped.
        without: titles of rows that have no embeddings here.
        left_out: titles of rows that are left out to keep the page small.
    """

    figures: list[PageFigure] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MapLimits:
    """How much of each test set is mapped.

    Attributes:
        systems: the first ones, in the order of the rows.
        points: embeddings on a map.
    """

    systems: int
    points: int


def map_limits(num_systems: int, num_sets: int) -> MapLimits:
    """The limits by which all maps of a page together have at most MOST_POINTS embeddings.

    Args:
        num_systems: systems on each test set.
        num_sets: test sets of the page.
    """
    systems = min(num_systems, max(1, MOST_MAPPED // num_sets))
    return MapLimits(systems, min(MOST_POINTS_OF_MAP, MOST_POINTS // max(1, 2 * systems * num_sets)))


def set_maps(
    spec: ReportSpec, facts: SetFacts, gallery: Gallery, limits: MapLimits, seed: int, done: Callable[[], None]
) -> SetMaps:
    """Compute and draw the maps of a test set.

    Args:
        spec: the report.
        facts: of the test set.
        gallery: takes the figures.
        limits: of the maps.
        seed: random seed of the choice of embeddings and of t-SNE.
        done: called after each row.

    Raises:
        InputError: embeddings are damaged.
    """
    maps, mapped = SetMaps(), 0
    for row in spec.done:
        if not (row.exp / f"embeddings_{facts.name}" / "embedding.scp").is_file():
            maps.without.append(row.title)
        elif mapped == limits.systems:
            maps.left_out.append(row.title)
        else:
            figures = _maps_of_row(row, facts, gallery, limits.points, seed)
            maps.figures += figures
            maps.without += [] if figures else [row.title]
            mapped += bool(figures)
        done()
    return maps


def _maps_of_row(row: ReportRow, facts: SetFacts, gallery: Gallery, points: int, seed: int) -> list[PageFigure]:
    scp = row.exp / f"embeddings_{facts.name}" / "embedding.scp"
    found = embedding_map(str(scp), facts.trial_set.speaker_of, points, seed)
    if found is None:
        return []
    kinds: list[tuple[str, Sequence[str]]] = [("speaker", found.speakers)]
    if facts.gender:
        kinds.append(("gender", [GENDERS.get(facts.gender.get(spk, ""), "unknown") for spk in found.speakers]))
    figures = []
    for kind, names in kinds:
        count = f"{len(found.points)} embeddings of {len(set(found.speakers))} speakers"
        text = f"t-SNE of {count} by {row.title}, coloured by {kind}"
        drawing = draw_map(f"{row.title}, by {kind}", found.points, names)
        figures.append(gallery.add(f"map-{facts.name}-{row.name}-{kind}", drawing, text, f"{count}."))
    return figures
