"""The options of the encoders that are made of convolutions. No torch here: ``nnet.config`` reads this.

Some encoders have two variants: "own", this project's, and the one of an earlier system, whose checkpoints need it.
"jl" is github.com/jefflai108/pytorch-kaldi-neural-speaker-embeddings (the LDE systems), "sc" is
github.com/theScrabi/kaldi_voxceleb_pytorch (x-vectors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.options import option, require
from nnet.encoders.options import EncoderOptions

PAD_SHORT = "repeat the first and last frame of an utterance of fewer than {} frames; otherwise it is an error"


@dataclass(frozen=True)
class TdnnOptions(EncoderOptions):
    """The x-vector's time-delay network."""

    implementation: ClassVar[str] = "nnet.encoders.tdnn:Tdnn"
    width: int = option(512, "channels of the first four layers", least=1)
    last_width: int = option(1500, "channels of the fifth layer, which is pooled", least=1)
    pad_short: bool = option(True, PAD_SHORT.format("15 (sc: 9)"))
    variant: Literal["own", "sc"] = option(
        "own", "sc: batch norm before the ReLU, and zeros beyond the ends of the second and third layer"
    )


@dataclass(frozen=True)
class EtdnnOptions(EncoderOptions):
    """The extended time-delay network (E-TDNN), of ten layers."""

    implementation: ClassVar[str] = "nnet.encoders.tdnn:ExtendedTdnn"
    width: int = option(512, "channels of the first nine layers", least=1)
    last_width: int = option(1500, "channels of the tenth layer, which is pooled", least=1)
    pad_short: bool = option(True, PAD_SHORT.format(23))


@dataclass(frozen=True)
class ResNetOptions(EncoderOptions):
    """A ResNet over the time-frequency plane; the subclasses are its sizes, which YAMLs name.

    Attributes:
        num_blocks: of each stage.
        bottleneck: whether blocks have three convolutions, and are four times as wide outside.
        squeeze: whether each block has squeeze-and-excitation.
    """

    implementation: ClassVar[str] = "nnet.encoders.resnet:ResNet"
    num_blocks: ClassVar[tuple[int, int, int, int]]
    bottleneck: ClassVar[bool] = False
    squeeze: ClassVar[bool] = False
    width: int = option(16, "channels of the first stage; the others have 2, 4 and 8 times as many", least=1)
    variant: Literal["own", "jl"] = option(
        "own", "jl: average the lowest three of the last frequency columns, which works for 17 to 40 features"
    )
    columns: Literal["mean", "stack"] = option(
        "mean", "the last stage's frequency columns: their mean, or stacked, each with channels of its own"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.variant == "own" or self.columns == "mean"
        require(fits, "columns", self.columns, f"mean, as variant {self.variant} has it")


@dataclass(frozen=True)
class ResNet18Options(ResNetOptions):
    """A ResNet of 18 layers."""

    num_blocks = (2, 2, 2, 2)


@dataclass(frozen=True)
class ResNet34Options(ResNetOptions):
    """A ResNet of 34 layers."""

    num_blocks = (3, 4, 6, 3)


@dataclass(frozen=True)
class ResNet50Options(ResNetOptions):
    """A ResNet of 50 layers, with bottleneck blocks: it gives 32 times `width` channels."""

    num_blocks = (3, 4, 6, 3)
    bottleneck = True


@dataclass(frozen=True)
class SeResNet34Options(ResNet34Options):
    """A ResNet of 34 layers with squeeze-and-excitation."""

    squeeze = True


@dataclass(frozen=True)
class ThinResNet34Options(ResNet34Options):
    """A ResNet of 34 layers of half the width."""

    width: int = option(8, "channels of the first stage; the others have 2, 4 and 8 times as many", least=1)


@dataclass(frozen=True)
class DenseNet62Options(EncoderOptions):
    """A DenseNet of 62 layers over the time-frequency plane."""

    implementation: ClassVar[str] = "nnet.encoders.densenet:DenseNet62"
    growth: int = option(8, "channels that each layer adds", least=1)
    stem: int = option(15, "channels of the first convolution", least=1)
    pad_short: bool = option(True, PAD_SHORT.format(15))
    variant: Literal["own", "jl"] = option(
        "own",
        "jl: halve the frequency columns rounding down until one is left, which works for 15 to 30 features; own: round"
        " up, and average the columns that are left",
    )


@dataclass(frozen=True)
class EcapaOptions(EncoderOptions):
    """ECAPA-TDNN's frame-level layers; published with pooling channel_attentive."""

    implementation: ClassVar[str] = "nnet.encoders.ecapa:Ecapa"
    width: int = option(512, "channels of the blocks; 512 and 1024 are the published sizes", least=1)
    last_width: int = option(1536, "channels of the last layer, which is pooled", least=1)
    scale: int = option(8, "groups of channels of a block, which divide width; a group sees the one before", least=2)
    squeeze: int = option(128, "hidden units of squeeze-and-excitation", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.width % self.scale == 0, "width", self.width, f"a multiple of scale, {self.scale}")
