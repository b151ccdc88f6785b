"""The options of the encoders that are made of convolutions. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.options import at_least, require
from nnet.encoders.options import EncoderOptions


@dataclass(frozen=True)
class TdnnOptions(EncoderOptions):
    """The x-vector's time-delay network.

    width: channels of the first four layers. last_width: channels of the fifth, which is pooled.
    pad_short: repeat the first and last frame of an utterance that is shorter than the 15 frames that the network
    sees at once; otherwise such an utterance is an error.
    seed_compatible: the layers of kaldi_voxceleb_pytorch, whose checkpoints need them: batch norm before the ReLU, and
    zeros beyond the ends of the second and third layer, so that 9 frames are the fewest.
    """

    implementation: ClassVar[str] = "nnet.encoders.tdnn:Tdnn"
    width: int = 512
    last_width: int = 1500
    pad_short: bool = True
    seed_compatible: bool = False

    def __post_init__(self) -> None:
        at_least(1, width=self.width, last_width=self.last_width)


@dataclass(frozen=True)
class EtdnnOptions(EncoderOptions):
    """The extended time-delay network (E-TDNN), of ten layers.

    width: channels of the first nine layers. last_width: channels of the tenth, which is pooled.
    pad_short: as for tdnn, with 23 frames.
    """

    implementation: ClassVar[str] = "nnet.encoders.tdnn:ExtendedTdnn"
    width: int = 512
    last_width: int = 1500
    pad_short: bool = True

    def __post_init__(self) -> None:
        at_least(1, width=self.width, last_width=self.last_width)


@dataclass(frozen=True)
class ResNetOptions(EncoderOptions):
    """A ResNet over the time-frequency plane; the subclasses are its sizes, which YAMLs name.

    width: channels of the first stage; the others have 2, 4 and 8 times as many.
    seed_compatible: average the lowest three of the last frequency columns, as the published systems do, which works
    for 17 to 40 features; otherwise all columns of any number of features.
    columns: what becomes of the last stage's frequency columns, an eighth as many as features: their mean, or stack,
    each with channels of its own.
    """

    implementation: ClassVar[str] = "nnet.encoders.resnet:ResNet"
    num_blocks: ClassVar[tuple[int, int, int, int]]  # of each stage
    bottleneck: ClassVar[bool] = False  # blocks of three convolutions, four times as wide outside
    squeeze: ClassVar[bool] = False  # squeeze-and-excitation in each block
    width: int = 16
    seed_compatible: bool = False
    columns: Literal["mean", "stack"] = "mean"

    def __post_init__(self) -> None:
        at_least(1, width=self.width)
        fits = not self.seed_compatible or self.columns == "mean"
        require(fits, "columns", self.columns, "mean, which seed_compatible asks for")


@dataclass(frozen=True)
class ResNet18Options(ResNetOptions):
    """A ResNet of 18 layers. Options: as for resnet34."""

    num_blocks = (2, 2, 2, 2)


@dataclass(frozen=True)
class ResNet34Options(ResNetOptions):
    """A ResNet of 34 layers over the time-frequency plane. Options: see ResNetOptions."""

    num_blocks = (3, 4, 6, 3)


@dataclass(frozen=True)
class ResNet50Options(ResNetOptions):
    """A ResNet of 50 layers, with bottleneck blocks: it gives 32 times `width` channels. Options: as for resnet34."""

    num_blocks = (3, 4, 6, 3)
    bottleneck = True


@dataclass(frozen=True)
class SeResNet34Options(ResNet34Options):
    """A ResNet of 34 layers with squeeze-and-excitation. Options: as for resnet34."""

    squeeze = True


@dataclass(frozen=True)
class ThinResNet34Options(ResNet34Options):
    """A ResNet of 34 layers of half the width. Options: as for resnet34."""

    width: int = 8


@dataclass(frozen=True)
class DenseNet62Options(EncoderOptions):
    """A DenseNet of 62 layers over the time-frequency plane.

    growth: channels that each layer adds. stem: channels of the first convolution.
    pad_short: repeat the first and last frame of an utterance of less than 15 frames, of which no frame would be left;
    otherwise such an utterance is an error.
    seed_compatible: halve the frequency columns rounding down, as the published system does, until one is left, which
    works for 15 to 30 features; otherwise round up, and average the columns that are left of any number of features.
    """

    implementation: ClassVar[str] = "nnet.encoders.densenet:DenseNet62"
    growth: int = 8
    stem: int = 15
    pad_short: bool = True
    seed_compatible: bool = False

    def __post_init__(self) -> None:
        at_least(1, growth=self.growth, stem=self.stem)


@dataclass(frozen=True)
class EcapaOptions(EncoderOptions):
    """ECAPA-TDNN's frame-level layers; published with pooling channel_attentive.

    width: channels of the blocks; 512 and 1024 are the published sizes. last_width: channels that are pooled.
    scale: groups of channels of a block that see each other one after the other; divides `width`.
    squeeze: hidden units of squeeze-and-excitation.
    """

    implementation: ClassVar[str] = "nnet.encoders.ecapa:Ecapa"
    width: int = 512
    last_width: int = 1536
    scale: int = 8
    squeeze: int = 128

    def __post_init__(self) -> None:
        at_least(1, width=self.width, last_width=self.last_width, squeeze=self.squeeze)
        at_least(2, scale=self.scale)
        require(self.width % self.scale == 0, "width", self.width, f"a multiple of scale, {self.scale}")
