"""The poolings: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

The contract is ``nnet.parts.Pooling``. To add a pooling: its file here and its line in `POOLINGS` below, a YAML, and a
test file with its numbers; tests/nnet/test_pooling.py tries the contract on each of the table. The line of a pooling
without options makes its option set too; one with options has a class above the table, a line for each option.

The options stand here, not in the pooling's file: that file defines a torch module, so it imports torch, and a shell
step that reads a config must not wait for that (0.1 s instead of 2 s). An option set names the file instead, as its
``implementation``; it is imported when a network is built.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar

from common.options import option, require
from nnet.part_options import PartOptions

OwnPooling = TypeVar("OwnPooling", bound="PoolingOptions")
SOFT_SCALE = 0.1
VARIANCE_FLOOR = "the least variance; keeps the gradient finite at 0"


@dataclass(frozen=True)
class PoolingOptions(PartOptions):
    """Options of a pooling, a subclass of ``nnet.parts.Pooling``.

    Attributes:
        needs_frames: whether it describes how frames differ, so that it is refused if an encoder gives one vector.
    """

    needs_frames: ClassVar[bool] = False

    def shortened(self: OwnPooling, before: int, now: int) -> OwnPooling:
        """The same pooling in a run of `now` steps in place of `before`: what needs many steps to be learnt changes."""
        return self


@dataclass(frozen=True)
class StatisticsOptions(PoolingOptions):
    """Mean and standard deviation over time."""

    implementation: ClassVar[str] = "nnet.pooling.statistics:StatisticsPooling"
    needs_frames: ClassVar[bool] = True
    variance_floor: float = option(1e-6, VARIANCE_FLOOR, above=0)
    unbiased: bool = option(False, "whether the sum of squares is divided by T − 1")


@dataclass(frozen=True)
class LastOptions(PoolingOptions):
    """The last frame.

    ``bidirectional: false`` with an encoder that runs in both directions is for published systems that were trained so:
    half of the vector has seen the last frame alone.
    """

    implementation: ClassVar[str] = "nnet.pooling.last:LastPooling"
    bidirectional: bool | None = option(
        None, "take the second half of the channels, a backward recurrence, from frame 0; null: if the encoder has one"
    )


@dataclass(frozen=True)
class AttentiveOptions(PoolingOptions):
    """Mean and standard deviation under weights of the frames."""

    implementation: ClassVar[str] = "nnet.pooling.attentive:AttentivePooling"
    needs_frames: ClassVar[bool] = True
    hidden: int = option(64, "width of the layer that finds the weights", least=1)
    activation: Literal["relu", "tanh"] = option("relu", "activation of that layer")
    variance_floor: float = option(1e-6, VARIANCE_FLOOR, above=0)


@dataclass(frozen=True)
class MultiHeadOptions(PoolingOptions):
    """Mean and standard deviation under the weights of several heads."""

    implementation: ClassVar[str] = "nnet.pooling.multi_head:MultiHeadPooling"
    needs_frames: ClassVar[bool] = True
    heads: int = option(5, "number of heads", least=1)
    hidden: int = option(512, "width of the layer that finds the weights", least=1)
    penalty: float = option(0.01, "weight of the loss's penalty on heads that attend to the same frames", least=0)


@dataclass(frozen=True)
class ChannelAttentiveOptions(PoolingOptions):
    """Mean and standard deviation under weights of the frames that differ between channels (ECAPA-TDNN)."""

    implementation: ClassVar[str] = "nnet.pooling.channel_attentive:ChannelAttentivePooling"
    needs_frames: ClassVar[bool] = True
    hidden: int = option(128, "width of the layer that finds the weights", least=1)
    context: bool = option(True, "whether that layer also sees the utterance's plain mean and deviation")
    batch_norm: bool = option(True, "whether a batch norm follows the pooled vector")
    variance_floor: float = option(1e-6, VARIANCE_FLOOR, above=0)


@dataclass(frozen=True)
class LdeOptions(PoolingOptions):
    """Learnable dictionary encoding."""

    implementation: ClassVar[str] = "nnet.pooling.lde:LdePooling"
    needs_frames: ClassVar[bool] = True
    components: int = option(32, "D, entries of the dictionary", least=1)
    assignment: Literal["lde", "att"] = option("lde", "weights by softmax over the entries (lde) or over time (att)")
    distance: Literal["sqr", "norm", "mean"] = option(
        "sqr", "squared Euclidean distance (sqr), Euclidean distance (norm), or mean square over the channels (mean)"
    )
    output: Literal["mean", "mean+std"] = option(
        "mean", "for each entry the mean of the residuals, or also their spread"
    )
    centred: bool = option(
        False, "whether the spread is about that mean; else the root of the second moment, as in the published systems"
    )
    start: Literal["uniform", "frames", "kmeans"] = option(
        "uniform",
        "the dictionary before training: numbers from -1 to 1, as in the published systems; frames of the first batch;"
        " centres of clusters of these",
    )
    scale: float = option(
        1.0, "start of each entry's scale s; distances are multiplied by s², with att by s", above=0, below=math.inf
    )
    occupancy: Literal["none", "linear"] = option(
        "none", "linear: an entry's output is multiplied by the share of frames that it takes; with assignment lde"
    )
    norm_frames: bool = option(False, "whether a batch norm without gain and shift comes before the dictionary")

    def __post_init__(self) -> None:
        super().__post_init__()
        shared = self.assignment == "lde" or self.occupancy == "none"
        require(shared, "occupancy", self.occupancy, "none where assignment is att, by which entries share no frames")

    def shortened(self, before: int, now: int) -> LdeOptions:
        """Weights over the entries begin soft.

        Squared distances of frames to entries are near C, and with s = 1 a frame's weights are a choice of one entry
        from the first step on. s is learnt slowly: after 400 steps it is between 0.96 and 1.03 (docs/results.md).
        """
        sharp = self.assignment == "lde" and self.distance == "sqr" and self.scale > SOFT_SCALE
        return replace(self, scale=SOFT_SCALE) if sharp else self


POOLINGS: dict[str, type[PoolingOptions]] = {
    "attentive": AttentiveOptions,
    "channel_attentive": ChannelAttentiveOptions,
    "first": PoolingOptions.without_options("nnet.pooling.first:FirstPooling", "The first frame."),
    "last": LastOptions,
    "lde": LdeOptions,
    "mean": PoolingOptions.without_options("nnet.pooling.statistics:MeanPooling", "Mean over time."),
    "multi_head": MultiHeadOptions,
    "statistics": StatisticsOptions,
}
