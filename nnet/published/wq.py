"""github.com/wq2012/SpeakerRecognitionFromScratch: an LSTM, or a small transformer, on 40 MFCC of librosa's.

A file is {encoder_state_dict, losses, training_time}. The LSTM's width is a quarter of the rows of its first weight;
both directions are there if names end in `_reverse`. No name says whether its states are averaged or the last is taken,
and no shape how many heads the transformer has.
"""

from __future__ import annotations

from typing import Any

from common.errors import InputError
from nnet.published.table import (
    Choices,
    Plan,
    PublishedSystem,
    Rule,
    Sections,
    Tensors,
    attention_heads,
    count,
    shape_of,
)

SOURCE = "github.com/wq2012/SpeakerRecognitionFromScratch"
LSTM_RULES = (Rule(r"lstm\.(.+)", "encoder.rnn.{1}"),)
TRANSFORMER_RULES = (
    Rule(r"linear_layer\.(.+)", "encoder.input.{1}"),
    Rule(r"(encoder|decoder)\.(.+)", "encoder.{1}.{2}"),
)
HEADS = 8


def wq_sections(dim: int) -> Sections:
    """The sections that the two networks share. Args: dim: MFCCs."""
    return {
        "features": {
            "type": "librosa_mfcc",
            "config": "conf/librosa_mfcc.conf",
            "dim": dim,
            "cmvn": False,
            "vad": False,
        },
        "embedding": {"dim": None, "normalise": False},
        "head": {"batch_norm": False, "relu": False, "hidden": []},
        "inference": {"mode": "windows", "window": 100, "step": 50, "tail": "drop", "short": "whole"},
    }


def plan_wq_lstm(tensors: Tensors, choices: Choices) -> Plan:
    """The LSTM: width, layers and directions by its names and shapes."""
    rows, dim = shape_of(tensors, "lstm.weight_ih_l0", 2)
    if rows % 4 or not rows:
        raise InputError(f"lstm.weight_ih_l0: has {rows} rows, expected a multiple of 4, one block for each gate")
    encoder = {
        "name": "lstm",
        "width": rows // 4,
        "layers": count(tensors, r"lstm\.weight_ih_l\d+"),
        "bidirectional": "lstm.weight_ih_l0_reverse" in tensors,
        "input_shift": 0.0,
        "input_scale": 1.0,
    }
    pooling: dict[str, Any] = {"name": choices.pooling or "mean"}
    if choices.pooling == "last":
        pooling["bidirectional"] = False  # there it is the last frame of both directions
    sections: Sections = {**wq_sections(dim), "encoder": encoder, "pooling": pooling}
    assumed = () if choices.pooling else ("pooling.name",)
    return Plan("bilstm_triplet", sections, LSTM_RULES, assumed=assumed)


def plan_wq_transformer(tensors: Tensors, choices: Choices) -> Plan:
    """The transformer: widths and layers by its names and shapes."""
    width, dim = shape_of(tensors, "linear_layer.weight", 2)
    encoder = {
        "name": "query_transformer",
        "width": width,
        "heads": attention_heads(choices, HEADS, width),
        "layers": count(tensors, r"encoder\.layers\.\d+\.linear1\.weight"),
        "feed_forward": shape_of(tensors, "encoder.layers.0.linear1.weight", 2)[0],
        "input_shift": 0.0,
        "input_scale": 1.0,
    }
    one = {"name": "mean"}  # of the one vector that the decoder gives
    sections: Sections = {**wq_sections(dim), "encoder": encoder, "pooling": one}
    assumed = () if choices.heads is not None else ("encoder.heads",)
    return Plan("transformer_triplet", sections, TRANSFORMER_RULES, assumed=assumed)


SYSTEMS = (
    PublishedSystem(
        name="wq_lstm",
        format="wq",
        source=SOURCE,
        signature=(r"lstm\.weight_ih_l0",),
        plan=plan_wq_lstm,
        holders={"encoder_state_dict": ""},
        beside=("losses", "training_time"),
        options=("pooling",),
    ),
    PublishedSystem(
        name="wq_transformer",
        format="wq",
        source=SOURCE,
        signature=(r"linear_layer\.weight", r"decoder\.layers\.0\..+"),
        plan=plan_wq_transformer,
        holders={"encoder_state_dict": ""},
        beside=("losses", "training_time"),
        options=("heads",),
    ),
)
