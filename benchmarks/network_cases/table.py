"""The figures of all networks as Markdown, as plain text and as JSON."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.minikaldi_cases.report import Cells, markdown_table, number, plain_table
from benchmarks.network_cases.count import PARTS
from benchmarks.network_cases.steps import StepTime

COST_TITLES = [
    "network", "input", "parts", "encoder", "pooling", "embedding", "head + loss", "MMAC/s", "batch", "step, s",
    "CPU, s", "mini EER, %", "back end",
]  # fmt: skip
MINI_TITLES = ["network", "EER, % [95 %]", "back end", "steps", "batch", "training, min", "changed in the YAML"]
COUNTED = (
    "Parameters are in thousands; those of head and loss are for {speakers} training speakers, and only training needs"
    " them. MMAC/s: millions of multiply-accumulates per second of speech, for an utterance of {seconds:g} s that is"
    " embedded whole. Convolutions, affine layers, matrix products and the gates of recurrent layers are counted."
    " Element-wise operations and the features are not. Windows that overlap by half cost twice as much."
)
TIMED = (
    "A step is forward, backward, clipping and update of the YAML's own batch (rows × frames, as seconds of speech) on"
    " random features, {threads}, median of {steps}: wall seconds and CPU seconds. bf16 if `training.precision: auto`"
    " selected it. ≈: a smaller batch was timed, and its time scaled up."
)
MINI = (
    "On the mini corpus (40 unseen speakers), each network with the best of its back ends, chosen by this same figure."
    " The best baseline without a network has {baseline} %. Networks for large corpora are cut to a few minutes here,"
    " as the last column says: the figures show that they train, not how they rank."
)
# These have columns of their own, or change no weight.
SHOWN = (
    *("training.steps", "training.valid_every", "training.save_every", "training.log_every"),
    *("data.batch_size", "data.chunk_frames", "data.workers"),
)


@dataclass
class Figures:
    """The figures of one network.

    Attributes:
        name: of its YAML.
        input: type and dimension of the features.
        frame_rate: frames per second.
        parts: encoder, pooling and loss.
        parameters: part -> number of parameters.
        macs_per_second: multiply-accumulates per second of speech.
        step: time of a training step; None if it was not timed.
    """

    name: str
    input: str
    frame_rate: float
    parts: str
    parameters: dict[str, int]
    macs_per_second: float
    step: StepTime | None = None


def figures_from(mapping: Mapping[str, Any]) -> Figures:
    """The figures from the mapping that `dataclasses.asdict` made of them."""
    step = mapping["step"]
    return Figures(**{**mapping, "step": None if step is None else StepTime(**step)})


def thousands(count: int) -> str:
    """`2,690`, `0.4`; empty for a part that learns nothing."""
    if count == 0:
        return ""
    return f"{count / 1000:,.0f}" if count >= 10_000 else f"{count / 1000:.2g}"


def cost_cells(networks: Sequence[Figures], mini: Mapping[str, Any]) -> Cells:
    """A line for each network."""
    cells = []
    for one in networks:
        learnt = [thousands(one.parameters[part]) for part in PARTS]
        result = mini.get(one.name)
        error = ["", ""] if result is None else [f"{100 * result['eer']:.2f}", result["back_end"]]
        line = [one.name, one.input, one.parts, *learnt, number(one.macs_per_second / 1e6)]
        cells.append([*line, *_step_cells(one), *error])
    return cells


def _step_cells(one: Figures) -> list[str]:
    """Batch, and the seconds by the clock and of processor."""
    step = one.step
    if step is None:
        return ["", "", ""]
    about = "≈ " if step.scaled else ""
    speech = step.batch * step.frames / one.frame_rate
    precision = " bf16" if step.precision == "bf16" else ""
    batch = f"{step.batch} × {step.frames}, {number(speech)} s"
    return [batch, f"{about}{number(step.wall)}{precision}", f"{about}{number(step.cpu)}"]


def mini_cells(networks: Sequence[Figures], mini: Mapping[str, Any]) -> Cells:
    """A line for each network that has a result."""
    cells = []
    for one in networks:
        result = mini.get(one.name)
        if result is None:
            continue
        low, high = 100 * result["low"], 100 * result["high"]
        first, last = result["chunk_frames"]
        changed = ", ".join(each for each in result["changes"] if not each.startswith(SHOWN)) or "nothing"
        error = f"{100 * result['eer']:.2f} [{low:.2f}, {high:.2f}]"
        batch = f"{result['batch']} × {first}–{last}"
        minutes = f"{result['seconds'] / 60:.1f}"
        cells.append([one.name, error, result["back_end"], f"{result['steps']:,}", batch, minutes, changed])
    return cells


def without_empty(titles: Sequence[str], cells: Cells) -> tuple[list[str], Cells]:
    """The columns that are not empty; what was not measured is left out."""
    kept = [column for column in range(len(titles)) if any(line[column] for line in cells)]
    return [titles[column] for column in kept], [[line[column] for column in kept] for line in cells]


@dataclass
class Report:
    """All figures, how they were made, and the results on the mini corpus by name of the network (or nothing)."""

    command: str
    machine: dict[str, str]
    threads: int
    steps: int
    speakers: int
    seconds: float
    networks: list[Figures]
    mini: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def origin(self) -> str:
        """Machine, versions, date, command line."""
        found = self.machine
        return (
            f"{found['processor']}, {found['cores']} cores, {found['memory']}; Python {found['python']}, torch"
            f" {found['torch']}; {found['date']}; `{self.command}`."
        )

    def tables(self) -> list[tuple[list[str], Cells]]:
        """Titles and lines: what the networks cost, and the runs on the mini corpus."""
        costs = without_empty(COST_TITLES, cost_cells(self.networks, self.mini))
        return [costs, (MINI_TITLES, mini_cells(self.networks, self.mini))]

    def plain(self) -> str:
        """For the terminal."""
        return "\n\n".join(filter(None, [self.origin(), *(plain_table(*table) for table in self.tables())]))

    def markdown(self) -> str:
        """For docs/results.md: paragraphs in lines of at most 120 characters, and tables."""
        costs, runs = (markdown_table(*table) for table in self.tables())
        parts = [COUNTED.format(speakers=self.speakers, seconds=self.seconds)]
        if any(one.step for one in self.networks):
            threads = "one thread" if self.threads == 1 else f"{self.threads} threads"
            parts.append(TIMED.format(threads=threads, steps=self.steps))
        parts += [costs, f"Machine: {self.origin()}"]
        if runs:
            baseline = min(result["baseline"] for result in self.mini.values())
            parts += [MINI.format(baseline=f"{100 * baseline:.2f}"), runs]
        return "\n\n".join(part if part.startswith("|") else _wrapped(part) for part in parts)

    def as_json(self) -> dict[str, Any]:
        """Every figure, unrounded; without the results on the mini corpus, which have a file of their own."""
        mapping = dataclasses.asdict(self)
        del mapping["mini"]
        return mapping


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)
