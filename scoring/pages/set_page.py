"""The part of the page on one test set: its tables and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scoring.bootstrap import Interval
from scoring.det_points import det_curve
from scoring.metrics import eer_of_rates
from scoring.pages.audio_links import AudioLinks
from scoring.pages.breakdown import (
    TrialGroup,
    duration_groups,
    gender_groups,
    group_eer,
    speaker_eers,
    worst_speakers,
)
from scoring.pages.gallery import Gallery, PageFigure
from scoring.pages.map_figures import MapLimits, SetMaps, set_maps
from scoring.pages.rows import ReportSpec
from scoring.pages.set_facts import GENDERS, SetFacts
from scoring.pages.shown import ShownGroup, ShownSystem, shown_groups
from scoring.pages.worst_trials import WorstTrial, worst_trials
from scoring.plots.det import draw_det
from scoring.plots.histograms import draw_histogram
from scoring.plots.intervals import draw_groups
from scoring.plots.speakers import draw_speakers
from scoring.significance import Difference, compare

EER_AXIS = "EER, %"
SPEAKERS_IN_TABLE = 20


@dataclass(frozen=True)
class PageOptions:
    """How a page is made.

    Attributes:
        num_resamples: resamples of the speakers for intervals and differences.
        group_resamples: the same for the parts of the trials.
        seed: random seed of the resamples and of the maps.
        page_dir: folder of the page.
        map_limits: of the maps of each test set.
        done: called after each part of the work.
    """

    num_resamples: int
    group_resamples: int
    seed: int
    page_dir: Path
    map_limits: MapLimits
    done: Callable[[], None]


@dataclass(frozen=True)
class GroupTable:
    """EER of groups of trials: systems in rows, groups in columns."""

    groups: list[TrialGroup]
    labels: list[str]
    cells: list[list[Interval | None]]
    figure: PageFigure


@dataclass(frozen=True)
class SpeakerTable:
    """EER of speakers: speakers in rows, systems in columns."""

    labels: list[str]
    speakers: list[tuple[str, str, list[float | None]]]
    all_speakers: int
    figure: PageFigure


@dataclass(frozen=True)
class WorstOfSystem:
    """The worst trials of a system."""

    label: str
    misses: list[WorstTrial]
    false_alarms: list[WorstTrial]


@dataclass(frozen=True)
class DifferenceMatrix:
    """Differences of EER, row minus column, as shares."""

    name: str
    labels: list[str]
    cells: list[list[Difference]]


@dataclass
class SetPage:
    """What the page shows of a test set."""

    facts: SetFacts
    groups: list[ShownGroup]
    det: list[tuple[str, PageFigure]] = field(default_factory=list)
    histograms: list[PageFigure] = field(default_factory=list)
    maps: SetMaps = field(default_factory=SetMaps)
    durations: GroupTable | None = None
    genders: GroupTable | None = None
    speakers: SpeakerTable | None = None
    worst: list[WorstOfSystem] = field(default_factory=list)
    differences: list[DifferenceMatrix] = field(default_factory=list)


def set_page(spec: ReportSpec, facts: SetFacts, gallery: Gallery, options: PageOptions) -> SetPage:
    """Compute and draw everything that the page shows of a test set, except the tables of results.

    Args:
        spec: the report.
        facts: of the test set.
        gallery: takes the figures.
        options: of the page.

    Raises:
        InputError: a file of the run is damaged or lacks a trial.
    """
    page = SetPage(facts, shown_groups(spec, facts))
    if not page.groups:
        return page
    first = page.groups[0].systems
    _add_score_figures(page, gallery, options)
    page.maps = set_maps(spec, facts, gallery, options.map_limits, options.seed, options.done)
    page.durations = _group_table(page, duration_groups(facts), "duration", gallery, options)
    page.genders = _group_table(page, gender_groups(facts), "gender", gallery, options)
    page.speakers = _speaker_table(page, gallery)
    options.done()
    links = AudioLinks(facts.folder, options.page_dir)
    one_of_each = first[:1] if spec.single else first
    page.worst = [WorstOfSystem(shown.label, *worst_trials(shown.scores, facts, links)) for shown in one_of_each]
    page.differences = [_difference_matrix(facts, group, options) for group in page.groups if len(group.systems) > 1]
    options.done()
    return page


def eer_threshold(shown: ShownSystem) -> float:
    """The lowest threshold at which as many targets are rejected as nontargets accepted, or more."""
    rates = shown.rates
    return float(rates.thresholds[int(np.argmax(rates.fnr >= rates.fpr))])


def _add_score_figures(page: SetPage, gallery: Gallery, options: PageOptions) -> None:
    name, is_target = page.facts.name, page.facts.trials.is_target
    for group in page.groups:
        drawing = draw_det(group.labels, [det_curve(shown.rates) for shown in group.systems])
        eers = ", ".join(f"{shown.label} {100 * eer_of_rates(shown.rates):.2f} %" for shown in group.systems)
        figure = gallery.add(f"det-{name}-{group.name}", drawing, f"DET curves. EER: {eers}")
        page.det.append((group.name, figure))
    for shown in page.groups[0].systems:
        threshold, percent = eer_threshold(shown), 100 * eer_of_rates(shown.rates)
        drawing = draw_histogram(shown.label, shown.scores, is_target, threshold)
        means = [float(shown.scores[kind].mean()) for kind in (is_target, ~is_target)]
        text = f"Scores of {shown.label}: targets have a mean of {means[0]:.2f}, nontargets of {means[1]:.2f}"
        caption = f"EER {percent:.2f} % at a threshold of {threshold:.3g}.".replace("-", "−")
        page.histograms.append(gallery.add(f"scores-{name}-{shown.label}", drawing, text, caption))
    options.done()


def _group_table(
    page: SetPage, groups: list[TrialGroup], name: str, gallery: Gallery, options: PageOptions
) -> GroupTable | None:
    if not groups:
        return None
    systems, facts = page.groups[0].systems, page.facts
    cells = [
        [group_eer(shown.scores, facts, group, options.group_resamples, options.seed) for group in groups]
        for shown in systems
    ]
    labels, names = page.groups[0].labels, [group.label for group in groups]
    drawing = draw_groups(names, labels, [[_percent(cell) for cell in row] for row in cells], EER_AXIS)
    figure = gallery.add(f"eer-by-{name}-{facts.name}", drawing, f"EER by {name}; the table has the values")
    return GroupTable(groups, labels, cells, figure)


def _percent(figure: Interval | None) -> Interval | None:
    return None if figure is None else Interval(100 * figure.value, 100 * figure.low, 100 * figure.high)


def _speaker_table(page: SetPage, gallery: Gallery) -> SpeakerTable | None:
    group, facts = page.groups[0], page.facts
    by_system = [speaker_eers(shown.scores, facts) for shown in group.systems]
    if not any(by_system):
        return None
    drawing = draw_speakers(group.labels, [[100 * eer for eer in system.values()] for system in by_system], EER_AXIS)
    figure = gallery.add(f"eer-by-speaker-{facts.name}", drawing, "EER of each speaker; the table has the worst")
    chosen = worst_speakers(by_system, SPEAKERS_IN_TABLE)
    rows = [
        (speaker, GENDERS.get(facts.gender.get(speaker, ""), ""), [system.get(speaker) for system in by_system])
        for speaker in chosen
    ]
    return SpeakerTable(group.labels, rows, len({speaker for system in by_system for speaker in system}), figure)


def _difference_matrix(facts: SetFacts, group: ShownGroup, options: PageOptions) -> DifferenceMatrix:
    scores, is_target = [shown.scores for shown in group.systems], facts.trials.is_target
    found = compare(scores, is_target, facts.enroll, facts.test, options.num_resamples, options.seed, ())
    return DifferenceMatrix(group.name, group.labels, found.eer)
