"""The encoders: the table of their names. No torch here, nor in the option sets: ``nnet.config`` reads this.

The contract is ``nnet.parts.Encoder``. To add an encoder: its file here, its options (``options_*.py``) and its line
below, a YAML, a test file with its numbers. tests/nnet/test_parts.py tries the contract on each of the table.
"""

from __future__ import annotations

from nnet.encoders.options import EncoderOptions
from nnet.encoders.options_convolution import (
    DenseNet62Options,
    EcapaOptions,
    EtdnnOptions,
    ResNet18Options,
    ResNet34Options,
    ResNet50Options,
    SeResNet34Options,
    TdnnOptions,
    ThinResNet34Options,
)
from nnet.encoders.options_sequence import (
    ConvGruOptions,
    GruOptions,
    LstmOptions,
    QueryTransformerOptions,
    ResidualLstmOptions,
    ScaledTransformerOptions,
)

ENCODERS: dict[str, type[EncoderOptions]] = {
    "convgru": ConvGruOptions,
    "densenet62": DenseNet62Options,
    "ecapa": EcapaOptions,
    "etdnn": EtdnnOptions,
    "gru": GruOptions,
    "lstm": LstmOptions,
    "query_transformer": QueryTransformerOptions,
    "residual_lstm": ResidualLstmOptions,
    "resnet18": ResNet18Options,
    "resnet34": ResNet34Options,
    "resnet50": ResNet50Options,
    "scaled_transformer": ScaledTransformerOptions,
    "se_resnet34": SeResNet34Options,
    "tdnn": TdnnOptions,
    "thin_resnet34": ThinResNet34Options,
}
