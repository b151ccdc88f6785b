"""The options of the recurrent and transformer encoders. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from common.options import option, require
from nnet.encoders.options import EncoderOptions

LAYERS_APART = "share of values that training leaves out between layers"


@dataclass(frozen=True, kw_only=True)
class ScaledInputOptions(EncoderOptions):
    """Of encoders that take features into another range first: they become (x + input_shift) / input_scale."""

    input_shift: float = option(0.0, "added to each feature")
    input_scale: float = option(1.0, "what each feature is divided by after the shift", above=0)


@dataclass(frozen=True)
class GruOptions(ScaledInputOptions):
    """A GRU on frames of features; 3 × 768 with dropout 0.3 is the published one on log mel.

    input_shift and input_scale of 5.76 take log mel from −11.52 … 0 to −1 … 1.
    """

    implementation: ClassVar[str] = "nnet.encoders.recurrent:Gru"
    width: int = option(768, "H, the state of each direction", least=1)
    layers: int = option(3, "number of layers", least=1)
    bidirectional: bool = option(False, "whether it also reads from right to left")
    dropout: float = option(0.3, LAYERS_APART, least=0, below=1)

    @property
    def gains_from_bf16(self) -> bool:
        """oneDNN has no GRU in bf16: a step takes 1.04 to 1.15 times as long 128 wide, 0.76 to 0.88 times 256 wide."""
        return self.width >= 256


@dataclass(frozen=True)
class LstmOptions(GruOptions):
    """An LSTM, with the options of the GRU; the published one on 40 MFCCs is 3 × 64 in both directions."""

    implementation: ClassVar[str] = "nnet.encoders.recurrent:Lstm"
    width: int = option(64, "H, the state of each direction", least=1)
    bidirectional: bool = option(True, "whether it also reads from right to left")
    dropout: float = option(0.0, LAYERS_APART, least=0, below=1)

    @property
    def gains_from_bf16(self) -> bool:
        """64 wide a step takes 0.7 times as long, 256 wide 0.6, 512 wide as long."""
        return True


@dataclass(frozen=True)
class ResidualLstmOptions(ScaledInputOptions):
    """An affine layer, then LSTMs from left to right, the input of each but the last added to its output.

    input_shift of 2.5 ln 10 and input_scale of 0.625 ln 10, 5.7565 and 1.4391, take log mel from −11.51 … 0 (−100 dB to
    0 dB) to −4 … 4.
    """

    implementation: ClassVar[str] = "nnet.encoders.residual_lstm:ResidualLstm"
    width: int = option(256, "H of each LSTM", least=1)
    layers: int = option(3, "number of LSTMs", least=1)
    dropout: float = option(0.0, "share of what an LSTM adds that training leaves out", least=0, below=1)


@dataclass(frozen=True)
class ConvGruOptions(EncoderOptions):
    """Seven convolutions on the waveform (features.type samples), then a GRU in both directions."""

    implementation: ClassVar[str] = "nnet.encoders.convgru:ConvGru"
    channels: int = option(512, "channels of each convolution", least=1)
    width: int = option(768, "H of each direction of the GRU", least=1)
    layers: int = option(3, "layers of the GRU", least=1)
    dropout: float = option(0.3, "share of values that training leaves out between layers of the GRU", least=0, below=1)


@dataclass(frozen=True)
class QueryTransformerOptions(ScaledInputOptions):
    """A transformer without positions whose decoder asks once, so that an utterance becomes one vector.

    A sigmoid follows the first layer. MFCCs without input_scale drive it to its ends, where it hardly learns.
    """

    implementation: ClassVar[str] = "nnet.encoders.query_transformer:QueryTransformer"
    width: int = option(32, "C, a multiple of heads", least=1)
    heads: int = option(8, "heads of each attention", least=1)
    layers: int = option(2, "layers of the encoder; the decoder has one", least=1)
    feed_forward: int = option(2048, "inner width of a layer", least=1)
    dropout: float = option(0.1, "share of values that training leaves out", least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads, {self.heads}")


@dataclass(frozen=True)
class ScaledTransformerOptions(EncoderOptions):
    """A transformer encoder with sinusoidal positions times a learnt number."""

    implementation: ClassVar[str] = "nnet.encoders.scaled_transformer:ScaledTransformer"
    width: int = option(256, "C, even, a multiple of heads", least=1)
    heads: int = option(4, "heads of each attention", least=1)
    layers: int = option(3, "number of layers", least=1)
    feed_forward: int = option(1024, "inner width of a layer", least=1)
    dropout: float = option(0.1, "share of values that training leaves out", least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads, {self.heads}")
        require(self.width % 2 == 0, "width", self.width, "an even number, half of it sines and half cosines")
