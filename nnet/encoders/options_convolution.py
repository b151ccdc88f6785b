"""The options of the encoders that are made of convolutions. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nnet.options import at_least


@dataclass(frozen=True)
class TdnnOptions:
    """The x-vector's time-delay network.

    width: channels of the first four layers. last_width: channels of the fifth, which is pooled.
    pad_short: repeat the first and last frame of an utterance that is shorter than the 15 frames that the network
    sees at once; otherwise such an utterance is an error.
    """

    implementation: ClassVar[str] = "nnet.encoders.tdnn:Tdnn"
    width: int = 512
    last_width: int = 1500
    pad_short: bool = True

    def __post_init__(self) -> None:
        at_least(1, width=self.width, last_width=self.last_width)


@dataclass(frozen=True)
class ResNet34Options:
    """A ResNet of 34 layers over the time-frequency plane.

    width: channels of the first stage; the others have 2, 4 and 8 times as many.
    seed_compatible: average the lowest three of the last frequency columns, as the published systems do, which works
    for 17 to 40 features; otherwise all columns of any number of features.
    """

    implementation: ClassVar[str] = "nnet.encoders.resnet:ResNet34"
    width: int = 16
    seed_compatible: bool = False

    def __post_init__(self) -> None:
        at_least(1, width=self.width)
