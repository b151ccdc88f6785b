"""The part of the page on the runs: training curves, times of the stages, dropped utterances, circumstances."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.ledger_record import StageCost
from scoring.pages.gallery import Gallery, PageFigure
from scoring.pages.rows import ReportSpec
from scoring.pages.run_files import read_curve
from scoring.pages.systems import RecordedFigures
from scoring.plots.curves import draw_curves
from scoring.plots.times import draw_times
from scoring.stage_record import DroppedGroup, read_stage_record

COLUMNS = {
    "loss": ("training loss", 1.0, "Mean loss of the chunks since the point before; logarithmic axis."),
    "accuracy": ("training accuracy, %", 100.0, "Decisions of the loss that were right without margin."),
    "valid_eer": ("held-out EER, %", 100.0, "EER of held-out utterances of the training speakers, by cosine."),
    "lr": ("learning rate", 1.0, "Learning rate of each step."),
}
"""Column of the curve -> name of the axis, factor, caption."""


@dataclass(frozen=True)
class DroppedLine:
    """Utterances dropped for one reason, and the rows whose runs report it."""

    rows: list[str]
    group: DroppedGroup


@dataclass(frozen=True)
class RunPage:
    """What the page shows of the runs."""

    curves: list[PageFigure]
    without_curve: list[str]
    times: list[tuple[str, StageCost]]
    times_figure: PageFigure | None
    dropped: list[DroppedLine]
    has_records: bool
    notes: list[tuple[str, dict[str, str]]]


def run_page(spec: ReportSpec, recorded: dict[str, RecordedFigures], gallery: Gallery) -> RunPage:
    """Collect and draw what is known of the runs.

    Args:
        spec: the report.
        recorded: name of a row -> its results.json.
        gallery: takes the figures.

    Raises:
        InputError: a record of a run is damaged.
    """
    records = [(row, read_stage_record(row.exp)) for row in spec.done]
    times = [(row.title, time) for row, record in records for time in record.times]
    figure = None
    if times:
        timed = [(row.title, record.times) for row, record in records if record.times]
        seconds = [{time.label: time.seconds for time in own} for _, own in timed]
        drawing = draw_times([title for title, _ in timed], seconds)
        figure = gallery.add("stage-times", drawing, "Wall time of each stage; the table has the values")
    reporters: dict[DroppedGroup, list[str]] = {}
    for row, record in records:
        for group in record.dropped:
            reporters.setdefault(group, []).append(row.title)
    dropped = [DroppedLine(titles, group) for group, titles in reporters.items()]
    curves, without = _training_figures(spec, gallery)
    notes = [(row.title, recorded[row.name].notes) for row in spec.done if recorded[row.name].notes]
    has_records = any(record.times or record.dropped for _, record in records)
    return RunPage(curves, without, times, figure, dropped, has_records, notes)


def _training_figures(spec: ReportSpec, gallery: Gallery) -> tuple[list[PageFigure], list[str]]:
    read = [(row.title, read_curve(row.exp)) for row in spec.done]
    figures = []
    for column, (axis, factor, caption) in COLUMNS.items():
        points = [(curve.of(column)[0], [factor * value for value in curve.of(column)[1]]) for _, curve in read]
        if any(steps for steps, _ in points):
            drawing = draw_curves([title for title, _ in read], points, axis, log_scale=column == "loss")
            figures.append(gallery.add(f"training-{column}", drawing, f"{axis} over the steps of training", caption))
    return figures, [title for title, curve in read if not curve.columns]
