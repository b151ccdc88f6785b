"""The encoders: the table of their names. No torch here, nor in the option sets: ``nnet.config`` reads this.

An encoder is a module made as ``Encoder(options, in_dim)`` that has ``out_dim`` (C) and ``min_frames`` and maps
``feats (B, T, F), lengths (B,)`` to ``frames (B, T', C), lengths' (B,)``. What it gives for an utterance may not
depend on the padding behind it. To add one: its file here, its options (``options_*.py``) and its line below, a YAML,
a test.
"""

from __future__ import annotations

from nnet.encoders.options_convolution import ResNet34Options, TdnnOptions
from nnet.encoders.options_sequence import (
    ConvGruOptions,
    GruOptions,
    LstmOptions,
    QueryTransformerOptions,
    ScaledTransformerOptions,
)
from nnet.options import OptionTable

ENCODERS: OptionTable = {
    "convgru": ConvGruOptions,
    "gru": GruOptions,
    "lstm": LstmOptions,
    "query_transformer": QueryTransformerOptions,
    "resnet34": ResNet34Options,
    "scaled_transformer": ScaledTransformerOptions,
    "tdnn": TdnnOptions,
}
