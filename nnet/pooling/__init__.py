"""The poolings: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

A pooling is a module made as ``Pooling(options, in_dim)`` that has ``out_dim`` (D) and maps ``frames (B, T, C),
lengths (B,)`` to ``(B, D)``. Frames at and after an utterance's length never enter it, whatever they hold. One that
adds a term to the training loss has ``with_penalty(frames, lengths)`` besides, which gives ``(B, D)`` and that term,
``()``. One whose options say ``needs_frames`` is refused where an encoder gives one vector (``nnet.pooling.fit``). To
add one: its file here, its options and its line below, a YAML, a test; README.md shows an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.options import OptionTable, at_least, require


@dataclass(frozen=True)
class MeanOptions:
    """Mean over time."""

    implementation: ClassVar[str] = "nnet.pooling.statistics:MeanPooling"


@dataclass(frozen=True)
class StatisticsOptions:
    """Mean and standard deviation over time.

    variance_floor: the least variance; keeps the gradient finite at 0. unbiased: divide the sum of squares by T − 1.
    """

    implementation: ClassVar[str] = "nnet.pooling.statistics:StatisticsPooling"
    needs_frames: ClassVar[bool] = True
    variance_floor: float = 1e-6
    unbiased: bool = False

    def __post_init__(self) -> None:
        require(self.variance_floor > 0, "variance_floor", self.variance_floor, "a positive number")


@dataclass(frozen=True)
class FirstOptions:
    """The first frame."""

    implementation: ClassVar[str] = "nnet.pooling.first:FirstPooling"


@dataclass(frozen=True)
class LastOptions:
    """The last frame. bidirectional: the second half of the channels is taken from the first frame instead, where a
    backward recurrence ends; null: as the encoder is. False with one that runs in both directions is for published
    systems that were trained so: half of the vector has seen the last frame alone."""

    implementation: ClassVar[str] = "nnet.pooling.last:LastPooling"
    bidirectional: bool | None = None


@dataclass(frozen=True)
class AttentiveOptions:
    """Mean and standard deviation under weights of the frames.

    hidden: width of the layer that finds the weights. activation: of that layer. variance_floor: the least variance.
    """

    implementation: ClassVar[str] = "nnet.pooling.attentive:AttentivePooling"
    needs_frames: ClassVar[bool] = True
    hidden: int = 64
    activation: Literal["relu", "tanh"] = "relu"
    variance_floor: float = 1e-6

    def __post_init__(self) -> None:
        at_least(1, hidden=self.hidden)
        require(self.variance_floor > 0, "variance_floor", self.variance_floor, "a positive number")


@dataclass(frozen=True)
class MultiHeadOptions:
    """Mean and standard deviation under the weights of several heads.

    heads: how many. hidden: width of the layer that finds the weights. penalty: weight of what the training loss adds
    where heads attend to the same frames.
    """

    implementation: ClassVar[str] = "nnet.pooling.multi_head:MultiHeadPooling"
    needs_frames: ClassVar[bool] = True
    heads: int = 5
    hidden: int = 512
    penalty: float = 0.01

    def __post_init__(self) -> None:
        at_least(1, heads=self.heads, hidden=self.hidden)
        at_least(0, penalty=self.penalty)


@dataclass(frozen=True)
class ChannelAttentiveOptions:
    """Mean and standard deviation under weights of the frames that differ between channels (ECAPA-TDNN).

    hidden: width of the layer that finds the weights. context: whether it also sees the utterance's plain mean and
    deviation. batch_norm: of the pooled vector. variance_floor: the least variance.
    """

    implementation: ClassVar[str] = "nnet.pooling.channel_attentive:ChannelAttentivePooling"
    needs_frames: ClassVar[bool] = True
    hidden: int = 128
    context: bool = True
    batch_norm: bool = True
    variance_floor: float = 1e-6

    def __post_init__(self) -> None:
        at_least(1, hidden=self.hidden)
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
    needs_frames: ClassVar[bool] = True
    components: int = 32
    assignment: Literal["lde", "att"] = "lde"
    distance: Literal["sqr", "norm"] = "sqr"
    output: Literal["mean", "mean+std"] = "mean"
    centred: bool = False

    def __post_init__(self) -> None:
        at_least(1, components=self.components)


POOLINGS: OptionTable = {
    "attentive": AttentiveOptions,
    "channel_attentive": ChannelAttentiveOptions,
    "first": FirstOptions,
    "last": LastOptions,
    "lde": LdeOptions,
    "mean": MeanOptions,
    "multi_head": MultiHeadOptions,
    "statistics": StatisticsOptions,
}
