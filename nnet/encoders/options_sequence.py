"""The options of the recurrent and transformer encoders. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from common.options import at_least, require
from nnet.encoders.options import EncoderOptions


@dataclass(frozen=True, kw_only=True)
class ScaledInputOptions(EncoderOptions):
    """Of encoders that take features into another range first: they become (x + input_shift) / input_scale."""

    input_shift: float = 0.0
    input_scale: float = 1.0

    def __post_init__(self) -> None:
        require(self.input_scale > 0, "input_scale", self.input_scale, "a positive number")


@dataclass(frozen=True)
class GruOptions(ScaledInputOptions):
    """A GRU on frames of features; 3 × 768 with dropout 0.3 is the published one on log mel.

    width: H of each direction. layers. bidirectional: also from right to left. dropout: between layers, in training.
    input_shift, input_scale: 5.76 both take log mel from −11.52 … 0 to −1 … 1.
    """

    implementation: ClassVar[str] = "nnet.encoders.recurrent:Gru"
    width: int = 768
    layers: int = 3
    bidirectional: bool = False
    dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_layers(self.width, self.layers, self.dropout)

    @property
    def gains_from_bf16(self) -> bool:
        """oneDNN has no GRU in bf16: a step takes 1.04 to 1.15 times as long 128 wide, 0.76 to 0.88 times 256 wide."""
        return self.width >= 256


@dataclass(frozen=True)
class LstmOptions(GruOptions):
    """An LSTM, with the options of the GRU; the published one on 40 MFCCs is 3 × 64 in both directions."""

    implementation: ClassVar[str] = "nnet.encoders.recurrent:Lstm"
    width: int = 64
    bidirectional: bool = True
    dropout: float = 0.0

    @property
    def gains_from_bf16(self) -> bool:
        """64 wide a step takes 0.7 times as long, 256 wide 0.6, 512 wide as long."""
        return True


@dataclass(frozen=True)
class ResidualLstmOptions(ScaledInputOptions):
    """An affine layer, then LSTMs from left to right, the input of each but the last added to its output.

    width: H of all of them. layers: LSTMs. dropout: of what is added, in training. input_shift, input_scale: 2.5 ln 10
    and 0.625 ln 10, 5.7565 and 1.4391, take log mel from −11.51 … 0 (−100 dB to 0 dB) to −4 … 4.
    """

    implementation: ClassVar[str] = "nnet.encoders.residual_lstm:ResidualLstm"
    width: int = 256
    layers: int = 3
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_layers(self.width, self.layers, self.dropout)


@dataclass(frozen=True)
class ConvGruOptions(EncoderOptions):
    """Seven convolutions on the waveform (features.type samples), then a GRU in both directions.

    channels: of each convolution. width: H of each direction of the GRU. layers: of the GRU. dropout: between those,
    in training.
    """

    implementation: ClassVar[str] = "nnet.encoders.convgru:ConvGru"
    channels: int = 512
    width: int = 768
    layers: int = 3
    dropout: float = 0.3

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels)
        _check_layers(self.width, self.layers, self.dropout)


@dataclass(frozen=True)
class QueryTransformerOptions(ScaledInputOptions):
    """A transformer without positions whose decoder asks once, so that an utterance becomes one vector.

    width: C. heads: of each attention. layers: of the encoder; the decoder has one. feed_forward: inner width of a
    layer. dropout: in training. input_shift, input_scale: a sigmoid comes soon after, which MFCCs as they are drive to
    its ends, where it hardly learns.
    """

    implementation: ClassVar[str] = "nnet.encoders.query_transformer:QueryTransformer"
    width: int = 32
    heads: int = 8
    layers: int = 2
    feed_forward: int = 2048
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_layers(self.width, self.layers, self.dropout)
        _check_attention(self.width, self.heads, self.feed_forward)


@dataclass(frozen=True)
class ScaledTransformerOptions(EncoderOptions):
    """A transformer encoder with sinusoidal positions times a learnt number.

    width: C, even. heads: of each attention. layers. feed_forward: inner width of a layer. dropout: in training.
    """

    implementation: ClassVar[str] = "nnet.encoders.scaled_transformer:ScaledTransformer"
    width: int = 256
    heads: int = 4
    layers: int = 3
    feed_forward: int = 1024
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _check_layers(self.width, self.layers, self.dropout)
        _check_attention(self.width, self.heads, self.feed_forward)
        require(self.width % 2 == 0, "width", self.width, "an even number, half of it sines and half cosines")


def _check_layers(width: int, layers: int, dropout: float) -> None:
    at_least(1, width=width, layers=layers)
    require(0 <= dropout < 1, "dropout", dropout, "0 <= dropout < 1")


def _check_attention(width: int, heads: int, feed_forward: int) -> None:
    at_least(1, heads=heads, feed_forward=feed_forward)
    require(width % heads == 0, "width", width, f"a multiple of heads, {heads}")
