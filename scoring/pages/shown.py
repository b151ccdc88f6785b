"""Which systems the figures show, and under which names."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from scoring.back_ends import BACK_ENDS, HEADLINE, NORMALISED_MARK
from scoring.metrics import ErrorRates, SortedTrials
from scoring.pages.rows import ReportSpec
from scoring.pages.set_facts import SetFacts
from scoring.pages.systems import BASELINES, NORMALISED, ScoredSystem, scores_of, systems_of

LONGEST_LABEL = 40


@dataclass(frozen=True)
class ShownSystem:
    """A system with its scores.

    Attributes:
        system: the system.
        label: its name in figures.
        scores: float64 (N,).
        rates: its operating points.
    """

    system: ScoredSystem
    label: str
    scores: NDArray
    rates: ErrorRates


@dataclass(frozen=True)
class ShownGroup:
    """Systems that are shown together.

    Attributes:
        name: "" or what is special about all of them.
        systems: at least one.
    """

    name: str
    systems: list[ShownSystem]

    @property
    def labels(self) -> list[str]:
        """Names of the systems in figures."""
        return [system.label for system in self.systems]


def shown_groups(spec: ReportSpec, facts: SetFacts) -> list[ShownGroup]:
    """Of one run: all its back ends, and the baselines by PLDA. Of a benchmark: each row by PLDA; then normalised.

    Args:
        spec: the report.
        facts: of the test set.

    Raises:
        InputError: a score file lacks a trial.
    """
    if spec.single:
        return _not_empty([("", _systems_of_run(spec, facts.name))], facts, short=True)
    raw = [system for row in spec.done for system in _headline(systems_of(row, facts.name, ("",)))]
    normalised = [system for row in spec.done for system in _headline(systems_of(row, facts.name, (NORMALISED,)))]
    return _not_empty([("", [*raw, *baselines(spec, facts.name)]), ("normalised", normalised)], facts, short=False)


def baselines(spec: ReportSpec, test: str) -> list[ScoredSystem]:
    """The baselines by PLDA, of the first row that has them: those of all rows are equal."""
    for row in spec.done:
        found = _headline(systems_of(row, test, tuple(BASELINES)))
        if found:
            return found
    return []


def _systems_of_run(spec: ReportSpec, test: str) -> list[ScoredSystem]:
    own = [system for row in spec.done for system in systems_of(row, test, ("",))]
    normalised = [system for row in spec.done for system in _headline(systems_of(row, test, (NORMALISED,)))]
    return [*own, *normalised, *baselines(spec, test)]


def _headline(systems: list[ScoredSystem]) -> list[ScoredSystem]:
    return [system for system in systems if system.back_end == HEADLINE]


def _not_empty(groups: list[tuple[str, list[ScoredSystem]]], facts: SetFacts, short: bool) -> list[ShownGroup]:
    found = [(name, [_shown(system, facts, short) for system in systems]) for name, systems in groups]
    return [ShownGroup(name, systems) for name, systems in found if systems]


def _shown(system: ScoredSystem, facts: SetFacts, short: bool) -> ShownSystem:
    scores = scores_of(system, facts)
    rates = SortedTrials(scores, facts.trials.is_target).rates()
    return ShownSystem(system, _label(system, short), scores, rates)


def _label(system: ScoredSystem, short: bool) -> str:
    back_end = BACK_ENDS[system.back_end]
    if short and system.variant not in BASELINES:
        label = f"{back_end}{NORMALISED_MARK}" if system.variant == NORMALISED else back_end
    else:
        label = f"{system.title}, {back_end}" if short else system.title
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
