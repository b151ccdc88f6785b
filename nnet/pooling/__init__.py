"""The poolings: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

A pooling is a module made as ``Pooling(options, in_dim)`` that has ``out_dim`` (D) and maps ``frames (B, T, C),
lengths (B,)`` to ``(B, D)``. Frames at and after an utterance's length never enter it, whatever they hold. To add one:
its file here, its options and its line below, a YAML, a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from nnet.options import OptionTable, at_least, require


@dataclass(frozen=True)
class MeanOptions:
    """Mean over time."""

    implementation: ClassVar[str] = "nnet.pooling.statistics:MeanPooling"


@dataclass(frozen=True)
class StatisticsOptions:
    """Mean and standard deviation over time. variance_floor: the least variance; keeps the gradient finite at 0."""

    implementation: ClassVar[str] = "nnet.pooling.statistics:StatisticsPooling"
    variance_floor: float = 1e-6

    def __post_init__(self) -> None:
        require(self.variance_floor > 0, "variance_floor", self.variance_floor, "a positive number")


@dataclass(frozen=True)
class LdeOptions:
    """Learnable dictionary encoding.

    components: D, entries of the dictionary. assignment: weights by softmax over the entries (lde) or over time (att).
    distance: squared Euclidean (sqr) or Euclidean (norm). output: per entry the mean of the residuals, or also their
    spread. centred: whether the spread is about that mean, a standard deviation; if not, it is the root of the second
    moment, as the published systems have it.
    """

    implementation: ClassVar[str] = "nnet.pooling.lde:LdePooling"
    components: int = 32
    assignment: Literal["lde", "att"] = "lde"
    distance: Literal["sqr", "norm"] = "sqr"
    output: Literal["mean", "mean+std"] = "mean"
    centred: bool = False

    def __post_init__(self) -> None:
        at_least(1, components=self.components)


POOLINGS: OptionTable = {
    "lde": LdeOptions,
    "mean": MeanOptions,
    "statistics": StatisticsOptions,
}
