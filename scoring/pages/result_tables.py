"""The tables of results of a test set, and the figure of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.back_ends import BACK_ENDS, HEADLINE, NORMALISED_MARK
from scoring.bootstrap import Interval, Summary
from scoring.pages.gallery import Gallery, PageFigure
from scoring.pages.rows import ReportRow, ReportSpec
from scoring.pages.set_facts import SetFacts
from scoring.pages.shown import baselines
from scoring.pages.systems import (
    BASELINES,
    NORMALISED,
    RecordedFigures,
    ScoredSystem,
    figures_of,
    systems_of,
)
from scoring.plots.intervals import draw_intervals

VARIANT_NAMES = {"": "as extracted", NORMALISED: f"normalised ({NORMALISED_MARK})"}
MAIN_PRIOR = 0.01


@dataclass(frozen=True)
class ResultLine:
    """A scored system with its figures."""

    system: ScoredSystem
    summary: Summary

    @property
    def back_end(self) -> str:
        """How they were scored."""
        return BACK_ENDS[self.system.back_end]


@dataclass(frozen=True)
class HeadlineLine:
    """A row with its figures by PLDA, raw and normalised; None if there are none."""

    row: ReportRow
    raw: Summary | None
    normalised: Summary | None


@dataclass(frozen=True)
class ResultTables:
    """Both tables of a test set and their figure."""

    headline: list[HeadlineLine]
    lines: list[ResultLine]
    figure: PageFigure | None

    @property
    def best(self) -> tuple[float | None, float | None]:
        """The lowest EER of the headline, raw and normalised."""
        raw = [line.raw.eer.value for line in self.headline if line.raw]
        normalised = [line.normalised.eer.value for line in self.headline if line.normalised]
        return min(raw, default=None), min(normalised, default=None)

    @property
    def has_normalised(self) -> bool:
        """Whether a row has normalised embeddings."""
        return any(line.normalised for line in self.headline)

    @property
    def has_published(self) -> bool:
        """Whether figures of a row were published."""
        return any(line.row.published for line in self.headline)


def result_tables(
    spec: ReportSpec,
    facts: SetFacts,
    recorded: dict[str, RecordedFigures],
    gallery: Gallery,
    num_resamples: int,
    seed: int,
) -> ResultTables:
    """Collect the figures of every system of a test set.

    Args:
        spec: the report.
        facts: of the test set.
        recorded: name of a row -> its results.json.
        gallery: takes the figure.
        num_resamples: for figures that are not recorded.
        seed: of the resamples.

    Raises:
        InputError: scores of a system lack a trial.
    """
    shown_baselines = {system.row.name for system in baselines(spec, facts.name)}
    lines = []
    for row in spec.done:
        variants = ("", NORMALISED, *(BASELINES if row.name in shown_baselines else ()))
        for system in systems_of(row, facts.name, variants):
            lines.append(ResultLine(system, figures_of(system, recorded[row.name], facts, num_resamples, seed)))
    headline = [HeadlineLine(row, _of(lines, row, ""), _of(lines, row, NORMALISED)) for row in spec.rows]
    return ResultTables(headline, lines, _interval_figure(spec, lines, facts.name, gallery))


def _of(lines: Sequence[ResultLine], row: ReportRow, variant: str, back_end: str = HEADLINE) -> Summary | None:
    wanted = (row.name, variant, back_end)
    found = (line for line in lines if (line.system.row.name, line.system.variant, line.system.back_end) == wanted)
    return next((line.summary for line in found), None)


def _interval_figure(spec: ReportSpec, lines: list[ResultLine], test: str, gallery: Gallery) -> PageFigure | None:
    if not lines:
        return None
    if spec.single:
        labels = list(BACK_ENDS.values())
        series = [
            (name, [_eer(_of(lines, spec.rows[0], variant, back_end)) for back_end in BACK_ENDS])
            for variant, name in (("", spec.rows[0].title), (NORMALISED, VARIANT_NAMES[NORMALISED]), *BASELINES.items())
        ]
    else:
        labels = [row.title for row in spec.done]
        series = [
            (VARIANT_NAMES[variant], [_eer(_of(lines, row, variant)) for row in spec.done])
            for variant in ("", NORMALISED)
        ]
    series = [(name, figures) for name, figures in series if any(figures)]
    drawing = draw_intervals(labels, series, "EER, % (line: 95 % interval)")
    return gallery.add(f"eer-{test}", drawing, "EER with 95 % intervals; the table has the values")


def _eer(summary: Summary | None) -> Interval | None:
    if summary is None:
        return None
    return Interval(100 * summary.eer.value, 100 * summary.eer.low, 100 * summary.eer.high)
