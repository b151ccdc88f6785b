"""github.com/CODEJIN/Speaker_Embedding_Torch: a transformer with positions of a learnt scale on log mel, and LSTMs with
sums around them, which it had before.

A file is {Model, Optimizer, Scheduler, Steps}; of the LSTMs also Epochs, and AMP if precision was mixed. The positions,
1024 of them, are in the file; they are computed here, so they are compared and left out. The released
checkpoint saw mels up to 8000 Hz, as its own settings say, while the published program now takes them up to 11 025 Hz:
features.config says which. GE2E's w and b are not in the file.
"""

from __future__ import annotations

import math
from typing import Any

from common.errors import InputError
from nnet.encoders.scaled_transformer import sinusoids
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

SOURCE = "github.com/CODEJIN/Speaker_Embedding_Torch"
TRANSFORMER_RULES = (
    Rule(r"prenet\.weight", "encoder.prenet.weight", axis="dropped"),
    Rule(r"prenet\.bias", "encoder.prenet.bias"),
    Rule(r"positional_encoding\.alpha", "encoder.alpha"),
    Rule(r"positional_encoding\.pe", None, because="these positions are computed; they were compared"),
    Rule(r"transformer\.(.+)", "encoder.transformer.{1}"),
    Rule(r"projection\.weight", "embedding.weight", axis="dropped"),
    Rule(r"projection\.bias", "embedding.bias"),
)
LSTM_RULES = (
    Rule(r"layer_Dict\.Prenet\.(.+)", "encoder.prenet.{1}"),
    Rule(r"layer_Dict\.LSTM_(\d+)\.(.+)", "encoder.layers.{1}.{2}"),
    Rule(r"layer_Dict\.Linear\.(.+)", "embedding.{1}"),
)
HEADS = 4
# The LSTMs saw y = 8 · (d + 100) / 100 − 4 of an energy x of d = 20 log10 x decibels: −4 … 4 for −100 dB … 0 dB. As
# log10 x = ln x / ln 10, that is y = 1.6 / ln 10 · ln x + 4 = (ln x + 4 · scale) / scale, with the scale ln 10 / 1.6.
DECIBEL_SCALE = math.log(10) / 1.6
DECIBEL_SHIFT = 4 * DECIBEL_SCALE
POSITION_TOLERANCE = 1e-3  # float32 angles up to 1023 are right to 6e-5, computed in another order to twice that


def cj_sections(dim: int) -> Sections:
    """The sections that the two networks share; the mean is taken before length 1. Args: dim: of the embedding."""
    return {
        "embedding": {"dim": dim, "normalise": True},
        "head": {"batch_norm": False, "relu": False, "hidden": []},
        "loss": {"name": "ge2e", "variant": "softmax", "leave_one_out": False, "w": 10.0, "b": -5.0},
    }


def slices(window: int) -> dict[str, Any]:
    """The section inference: five slices that overlap by half."""
    return {"mode": "slices", "window": window, "step": window // 2, "count": 5, "mean_of": "affine"}


def plan_cj_lstm(tensors: Tensors, choices: Choices) -> Plan:
    """An affine layer, LSTMs with sums around all but the last, the last frame, an affine layer, length 1."""
    width, dim = shape_of(tensors, "layer_Dict.Prenet.weight", 2)
    encoder = {
        "name": "residual_lstm",
        "width": width,
        "layers": count(tensors, r"layer_Dict\.LSTM_\d+\.weight_ih_l0"),
        "input_shift": DECIBEL_SHIFT,
        "input_scale": DECIBEL_SCALE,
    }
    features = {"type": "logmel", "config": "conf/logmel_24k.conf", "dim": dim, "cmvn": False, "vad": False}
    sections: Sections = {
        **cj_sections(shape_of(tensors, "layer_Dict.Linear.weight", 2)[0]),
        **{"features": features, "encoder": encoder, "pooling": {"name": "last"}, "inference": slices(96)},
    }
    assumed = ("features.config", "encoder.input_shift", "encoder.input_scale")
    return Plan("transformer_ge2e", sections, LSTM_RULES, assumed=assumed)


def plan_cj_transformer(tensors: Tensors, choices: Choices) -> Plan:
    """Prenet, positions, transformer, its first frame, an affine layer, length 1; the mean over slices before that."""
    width, dim, _ = shape_of(tensors, "prenet.weight", 3)
    check_positions(tensors, width)
    encoder = {
        "name": "scaled_transformer",
        "width": width,
        "heads": attention_heads(choices, HEADS, width),
        "layers": count(tensors, r"transformer\.layers\.\d+\.linear1\.weight"),
        "feed_forward": shape_of(tensors, "transformer.layers.0.linear1.weight", 2)[0],
    }
    features = {"type": "logmel", "config": "conf/logmel_hifigan_8k.conf", "dim": dim, "cmvn": False, "vad": False}
    sections: Sections = {
        **cj_sections(shape_of(tensors, "projection.weight", 3)[0]),
        **{"features": features, "encoder": encoder, "pooling": {"name": "first"}, "inference": slices(240)},
    }
    assumed = ("features.config",) if choices.heads is not None else ("features.config", "encoder.heads")
    return Plan("transformer_ge2e", sections, TRANSFORMER_RULES, assumed=assumed)


def check_positions(tensors: Tensors, width: int) -> None:
    """Check that the file's positions are those that the encoder computes.

    Raises:
        InputError: they differ, and with them what the network was trained on.
    """
    key = "positional_encoding.pe"
    if key not in tensors:
        return
    one, channels, positions = shape_of(tensors, key, 3)
    if (one, channels) != (1, width) or width % 2:
        raise InputError(f"{key}: its shape is {(one, channels, positions)}, expected (1, {width}, positions)")
    difference = float((tensors[key][0].T - sinusoids(positions, width)).abs().max())
    if difference > POSITION_TOLERANCE:
        raise InputError(
            f"{key}: differs by up to {difference:.3g} from sines and cosines of t · 10000^(−c / C), which the encoder"
            " computes; the network was trained on other positions and would give other embeddings here"
        )


SYSTEMS = (
    PublishedSystem(
        name="cj_transformer",
        format="cj",
        source=SOURCE,
        signature=(r"prenet\.weight", r"positional_encoding\.alpha", r"projection\.weight"),
        plan=plan_cj_transformer,
        holders={"Model": ""},
        beside=("Optimizer", "Scheduler", "Steps"),
        steps="Steps",
        options=("heads",),
    ),
    PublishedSystem(
        name="cj_lstm",
        format="cj",
        source=SOURCE,
        signature=(r"layer_Dict\.Prenet\.weight", r"layer_Dict\.LSTM_\d+\.weight_ih_l0"),
        plan=plan_cj_lstm,
        holders={"Model": ""},
        beside=("Optimizer", "Scheduler", "Steps", "Epochs", "AMP"),
        steps="Steps",
    ),
)
