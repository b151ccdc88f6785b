"""What every part receives, the folder, the sizes and the repeats, and what it returns, a row of the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.minikaldi_cases.measure import Usage, environment, has_all, median, run_once


@dataclass(frozen=True)
class Sizes:
    """How much data; utterances of `wave_seconds` in the feature rows, of one second in the growth."""

    waves: int
    wave_passes: int  # how often each wave is in the list
    wave_seconds: int
    feats: int  # matrices of 1,000 frames
    speakers: int
    vectors: int  # 512 dimensions for LDA, 200 for PLDA
    trial_vectors: int
    trials: int
    reverberated: int
    growth: tuple[int, int, int]  # each the same multiple of the one before
    growth_trials: tuple[int, int, int]
    growth_dim: int


SCALES = {
    "full": Sizes(
        *(200, 3, 10, 2000, 1000, 40_000, 5000, 1_000_000, 300),
        *((1000, 10_000, 100_000), (10_000, 100_000, 1_000_000), 200),
    ),
    "small": Sizes(
        *(40, 3, 10, 300, 400, 6000, 1000, 100_000, 60), *((1000, 3000, 9000), (10_000, 30_000, 90_000), 200)
    ),
    "tiny": Sizes(*(3, 1, 2, 4, 210, 1050, 60, 500, 2), *((40, 80, 160), (50, 100, 200), 8)),
}


@dataclass(frozen=True)
class Place:
    """Where and how the commands are measured.

    Attributes:
        folder: for the data.
        scale: a key of `SCALES`.
        repeats: runs of each command.
        seed: random seed of the data.
        kaldi: real Kaldi's root, if there is one.
    """

    folder: Path
    scale: str
    repeats: int
    seed: int
    kaldi: Path | None = None

    @property
    def sizes(self) -> Sizes:
        """The sizes of this scale."""
        return SCALES[self.scale]

    def measure(
        self,
        command: Sequence[str] | str,
        repeats: int | None = None,
        first_on_path: Path | None = None,
        code: int = 0,
        beside_kaldi: bool = False,
    ) -> Usage:
        """The median of several runs in the folder.

        Args:
            command: words, or a line for bash.
            repeats: runs; None: as many as the place says.
            first_on_path: a folder of wrappers.
            code: exit code that is expected.
            beside_kaldi: run real Kaldi in turns with it, if it has all the commands; a busy machine then slows both
                in the same way.
        """
        env = environment(first_on_path)
        rounds = range(repeats or self.repeats)
        if not beside_kaldi or self.kaldi is None or not has_all(self.kaldi, command):
            return median([run_once(command, self.folder, env, code) for _ in rounds])
        kaldi_env = environment(first_on_path, self.kaldi)
        pairs = []
        for number in rounds:
            kaldi_first = number % 2 == 1
            envs = [kaldi_env, env] if kaldi_first else [env, kaldi_env]
            used = [run_once(command, self.folder, each, code) for each in envs]
            ours, kaldi = reversed(used) if kaldi_first else used
            pairs.append(dataclasses.replace(ours, kaldi=kaldi))
        return median(pairs)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        part: which part it belongs to.
        what: what was done, with its sizes.
        unit: of the three figures; `x` is times real time.
        ours: what minikaldi did.
        kaldi: what real Kaldi did on another machine; None: not known.
        goal: what is wanted; None: nothing.
        more_is_better: for rates.
        peak_mb: most memory held by a process.
        goal_mb: most that it may hold.
        full_only: the figure and the goal are of the full sizes, and mean nothing at others.
        kaldi_here: what real Kaldi did in the same run; None: not measured.
    """

    part: str
    what: str
    unit: str
    ours: float
    kaldi: float | None = None
    goal: float | None = None
    more_is_better: bool = False
    peak_mb: float | None = None
    goal_mb: float | None = None
    full_only: bool = False
    kaldi_here: float | None = None

    def times_kaldi(self) -> float | None:
        """How much faster than Kaldi here, if it was measured, else on another machine; below 1 is slower."""
        kaldi = self.kaldi if self.kaldi_here is None else self.kaldi_here
        if kaldi is None:
            return None
        return self.ours / kaldi if self.more_is_better else kaldi / self.ours

    def met(self) -> bool | None:
        """Whether the goals of speed and memory are reached; None if there is no goal."""
        if self.goal is None and self.goal_mb is None:
            return None
        fast = self.goal is None or (self.ours >= self.goal if self.more_is_better else self.ours <= self.goal)
        return fast and (self.goal_mb is None or (self.peak_mb or 0.0) <= self.goal_mb)
