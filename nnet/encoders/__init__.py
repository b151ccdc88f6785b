"""The encoders: the table of their names. No torch here, nor in the option sets: ``nnet.config`` reads this.

An encoder is a module made as ``Encoder(options, in_dim)`` that has ``out_dim`` (C) and ``min_frames`` and maps
``feats (B, T, F), lengths (B,)`` to ``frames (B, T', C), lengths' (B,)``. What it gives for an utterance may not
depend on the padding behind it. It may say more of itself, each by an attribute:

    pad_short       (True) lengthens utterances of less than ``min_frames`` itself; False: it refuses them
    max_frames      (None) how many frames it is to be given at once, in an utterance and in a batch, where its memory
                    grows faster than they; longer utterances are embedded in pieces
    bidirectional   (False) the second half of its channels is a recurrence from right to left
    one_vector      (False) T' is 1 for every utterance

To add one: its file here, its options (``options_*.py``) and its line below, a YAML, a test.
"""

from __future__ import annotations

from common.options import OptionTable
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

ENCODERS: OptionTable = {
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
