"""The scored systems of a row: which files of scores it has, and their figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, why
from scoring.back_ends import BACK_ENDS, NORMALISED_MARK
from scoring.bootstrap import Interval, Summary, summarize
from scoring.metrics import P_TARGETS
from scoring.pages.rows import ReportRow
from scoring.pages.set_facts import SetFacts
from scoring.trials import align, read_scores

NORMALISED, BASELINES = "normalised", {"baseline": "MFCC statistics", "baseline_cmvn": "MFCC statistics, CMVN"}
VARIANTS = ("", NORMALISED, *BASELINES)
"""Folders below the experiment; "": the embeddings as they are."""


@dataclass(frozen=True)
class ScoredSystem:
    """One row, one variant of its embeddings, one back end, on one test set.

    Attributes:
        row: the row.
        variant: one of `VARIANTS`.
        back_end: key of `BACK_ENDS`.
        scores: the file.
    """

    row: ReportRow
    variant: str
    back_end: str
    scores: Path

    @property
    def title(self) -> str:
        """The row, or the baseline; with a mark if its embeddings are normalised."""
        if self.variant in BASELINES:
            return BASELINES[self.variant]
        return f"{self.row.title}{NORMALISED_MARK}" if self.variant == NORMALISED else self.row.title

    @property
    def full_title(self) -> str:
        """With the back end."""
        return f"{self.title}, {BACK_ENDS[self.back_end]}"


def systems_of(row: ReportRow, test: str, variants: tuple[str, ...] = VARIANTS) -> list[ScoredSystem]:
    """Those systems of a row that have scores of a test set, in the order of `variants` and `BACK_ENDS`."""
    systems = [
        ScoredSystem(row, variant, back_end, row.exp / variant / "scores" / f"{test}_{back_end}")
        for variant in variants
        for back_end in BACK_ENDS
    ]
    return [system for system in systems if system.scores.is_file()]


def scores_of(system: ScoredSystem, facts: SetFacts) -> NDArray[np.float64]:
    """Scores in the order of the trials: float64 (N,).

    Raises:
        InputError: the file lacks a trial or has a wrong line.
    """
    return align(read_scores(system.scores), facts.trials, str(system.scores))


class RecordedFigures:
    """Figures that results.json of an experiment has.

    Args:
        exp: the experiment; without results.json nothing is known.

    Raises:
        InputError: results.json is damaged.
    """

    def __init__(self, exp: Path) -> None:
        self.path = exp / "results.json"
        self.content: dict[str, Any] = {}
        if self.path.is_file():
            try:
                self.content = json.loads(self.path.read_bytes())
                sets = self.content["test_sets"].items()
                results = [(test, result) for test, test_set in sets for result in test_set["results"]]
                paths = [Path(result["scores"]) for _, result in results]
                self._figures = {
                    (test, *place): _summary(result)
                    for (test, result), place in zip(results, _places(paths), strict=True)
                }
                self.notes = {str(key): str(value) for key, value in self.content["notes"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{self.path}: damaged ({why(error)}); run stage 12 again") from error
        else:
            self._figures, self.notes = {}, {}

    def of(self, system: ScoredSystem, test: str) -> Summary | None:
        """The figures of a system; None if they are not recorded."""
        return self._figures.get((test, system.variant, system.scores.name))


def _places(scores: Sequence[Path]) -> list[tuple[str, str]]:
    """(variant, name of the file) of each score file of a run; those of a variant lie one folder deeper."""
    depth = min((len(path.parts) for path in scores), default=0)
    return [(path.parent.parent.name if len(path.parts) > depth else "", path.name) for path in scores]


def _summary(result: dict[str, Any]) -> Summary:
    costs = {float(p_target): Interval(**figure) for p_target, figure in result["min_dcf"].items()}
    return Summary(Interval(**result["eer"]), {p_target: costs[p_target] for p_target in P_TARGETS})


def figures_of(
    system: ScoredSystem, recorded: RecordedFigures, facts: SetFacts, num_resamples: int, seed: int
) -> Summary:
    """The figures of a system: those that are recorded, else computed.

    Args:
        system: the system.
        recorded: of its experiment.
        facts: of the test set.
        num_resamples: for the intervals if they are computed.
        seed: of the resamples.
    """
    known = recorded.of(system, facts.name)
    if known is not None:
        return known
    trials, scores = facts.trials, scores_of(system, facts)
    return summarize(scores, trials.is_target, facts.enroll, facts.test, P_TARGETS, num_resamples, seed)
