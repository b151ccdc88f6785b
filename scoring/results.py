"""The systems of a report and their figures on a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.bootstrap import Summary, summarize, trial_speakers
from scoring.metrics import P_TARGETS
from scoring.results_table import row_of
from scoring.trial_sets import TrialSet
from scoring.trials import align, read_scores

TEST_PLACE = "{test}"


@dataclass(frozen=True)
class System:
    """A scored system.

    Attributes:
        name: the embeddings' network or baseline.
        back_end: how they are scored.
        scores: path of the scores; `{test}` in it is replaced by the name of the test set.
    """

    name: str
    back_end: str
    scores: str

    def scores_of(self, test: str) -> str:
        """Path of the scores of a test set."""
        return self.scores.replace(TEST_PLACE, test)


@dataclass(frozen=True)
class Results:
    """The figures of every system on a test set.

    Attributes:
        trial_set: the test set.
        summaries: the figures, in the order of the systems.
    """

    trial_set: TrialSet
    summaries: list[Summary]

    @property
    def heading(self) -> str:
        """`test: 7500 trials (1500 targets, 6000 nontargets), 40 speakers`."""
        counts = self.trial_set.counts
        kinds = f"{counts['targets']} targets, {counts['nontargets']} nontargets"
        return f"{self.trial_set.name}: {counts['trials']} trials ({kinds}), {counts['speakers']} speakers"

    def rows(self, systems: Sequence[System]) -> list[list[str]]:
        """Rows of the table, one per system."""
        return [row_of(s.name, s.back_end, summary) for s, summary in zip(systems, self.summaries, strict=True)]


def evaluate(systems: Sequence[System], trial_set: TrialSet, num_resamples: int, seed: int) -> Results:
    """Figures of every system on the same trials and the same resamples.

    Args:
        systems: the systems.
        trial_set: the test set.
        num_resamples: resamples of the speakers for the intervals.
        seed: random seed of the resamples.

    Raises:
        InputError: a score file lacks a trial or holds a NaN, or utt2spk does not belong to the trials.
    """
    trials = trial_set.trials
    enroll, test = trial_speakers(trials, trial_set.speaker_of)
    summaries = []
    for system in systems:
        path = system.scores_of(trial_set.name)
        scores = align(read_scores(path), trials, path)
        summaries.append(summarize(scores, trials.is_target, enroll, test, P_TARGETS, num_resamples, seed))
    return Results(trial_set, summaries)
