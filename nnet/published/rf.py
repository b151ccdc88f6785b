"""github.com/RF5/simple-speaker-embedding: a GRU on log mel, and convolutions with a GRU on the waveform.

The GRU's file holds its tensors at the top, with or without the prefix `model.`. The other's is {model_state_dict,
steps, epoch}, stripped, or has the states of loss, optimizer, schedule and loss scaler besides. Of the loss w is taken;
b, which the softmax does not see, is left out.
"""

from __future__ import annotations

import math

import torch

from common.errors import InputError
from nnet.published.table import Choices, Plan, PublishedSystem, Rule, Sections, Tensors, count, shape_of

SOURCE = "github.com/RF5/simple-speaker-embedding"
GRU_RULES = (
    Rule(r"(?:model\.)?rnn_stack\.(.+)", "encoder.rnn.{1}"),
    Rule(r"(?:model\.)?projection\.(.+)", "embedding.{1}"),
)
CONVGRU_RULES = (
    Rule(r"conv_encoder\.conv_layers\.(\d+)\.0\.weight", "encoder.convs.{1}.weight"),
    Rule(r"conv_encoder\.conv_layers\.0\.2\.(weight|bias)", "encoder.norm.{1}"),
    Rule(r"rnn\.(.+)", "encoder.rnn.{1}"),
    Rule(r"head\.(.+)", "embedding.{1}"),
    Rule(r"loss_fn\.w", "loss_function.scale.raw"),
    Rule(r"loss_fn\.b", None, because="the softmax over speakers does not see what is added to each score"),
)
LOG_MEL_MIDDLE = 5.76  # log mel from -11.52 ... 0 becomes -1 ... 1


def rf_sections(dim: int) -> Sections:
    """The sections that the two networks share. Args: dim: of the embedding."""
    return {
        "embedding": {"dim": dim, "normalise": True},
        "head": {"batch_norm": False, "relu": False, "hidden": []},
        "loss": {"name": "ge2e", "variant": "softmax", "leave_one_out": True, "reduction": "sum"},
        "inference": {"mode": "whole"},
    }


def gru_width(tensors: Tensors, key: str) -> int:
    """H of a GRU, whose weights have one block of rows for each of three gates."""
    rows = shape_of(tensors, key, 2)[0]
    if rows % 3 or not rows:
        raise InputError(f"{key}: has {rows} rows, expected a multiple of 3, one block for each gate")
    return rows // 3


def plan_gru(tensors: Tensors, choices: Choices) -> Plan:
    """The GRU on log mel: its last state, an affine layer, length 1."""
    prefix = "" if "rnn_stack.weight_ih_l0" in tensors else "model."
    dim = shape_of(tensors, f"{prefix}rnn_stack.weight_ih_l0", 2)[1]
    encoder = {
        "name": "gru",
        "width": gru_width(tensors, f"{prefix}rnn_stack.weight_ih_l0"),
        "layers": count(tensors, rf"{prefix}rnn_stack\.weight_ih_l\d+"),
        "bidirectional": False,
        "input_shift": LOG_MEL_MIDDLE,
        "input_scale": LOG_MEL_MIDDLE,
    }
    features = {"type": "logmel", "config": "conf/logmel.conf", "dim": dim, "cmvn": False, "vad": False}
    own: Sections = {"features": features, "encoder": encoder, "pooling": {"name": "last"}}
    sections: Sections = {**rf_sections(shape_of(tensors, f"{prefix}projection.weight", 2)[0]), **own}
    return Plan("gru_ge2e", sections, GRU_RULES)


def plan_convgru(tensors: Tensors, choices: Choices) -> Plan:
    """The network on the waveform: the last state of each direction, an affine layer, length 1."""
    encoder = {
        "name": "convgru",
        "channels": shape_of(tensors, "conv_encoder.conv_layers.0.0.weight", 3)[0],
        "width": gru_width(tensors, "rnn.weight_ih_l0"),
        "layers": count(tensors, r"rnn\.weight_ih_l\d+"),
    }
    features = {"type": "samples", "config": "conf/samples.conf", "dim": 160, "cmvn": False, "vad": False}
    own: Sections = {"features": features, "encoder": encoder, "pooling": {"name": "last", "bidirectional": True}}
    sections: Sections = {**rf_sections(shape_of(tensors, "head.weight", 2)[0]), **own}
    changed = {**tensors, **_raw_scale(tensors)}
    notes = ("loss_fn.w, as softplus has it",) if "loss_fn.w" in tensors else ()
    return Plan("convgru_ge2e", sections, CONVGRU_RULES, tensors=changed, notes=notes)


def _raw_scale(tensors: Tensors) -> dict[str, torch.Tensor]:
    """w as the number whose softplus it is.

    Raises:
        InputError: it is not above 0: the published program does not keep it there.
    """
    if "loss_fn.w" not in tensors:
        return {}
    if tensors["loss_fn.w"].numel() != 1:
        raise InputError(f"loss_fn.w: its shape is {tuple(tensors['loss_fn.w'].shape)}, expected one number")
    w = float(tensors["loss_fn.w"])
    if w <= 0:
        raise InputError(f"loss_fn.w: is {w:.6g}, expected one number above 0")
    return {"loss_fn.w": torch.tensor(w + math.log(-math.expm1(-w)))}


SYSTEMS = (
    PublishedSystem(
        name="rf_gru",
        format="rf_gru",
        source=SOURCE,
        signature=(r"(model\.)?rnn_stack\.weight_ih_l0", r"(model\.)?projection\.weight"),
        plan=plan_gru,
    ),
    PublishedSystem(
        name="rf_convgru",
        format="rf_convgru",
        source=SOURCE,
        signature=(r"conv_encoder\.conv_layers\.0\.0\.weight", r"rnn\.weight_ih_l0"),
        plan=plan_convgru,
        holders={"model_state_dict": "", "loss_fn_state_dict": "loss_fn."},
        beside=("optim_state_dict", "scheduler_state_dict", "scaler_state_dict", "steps", "epoch"),
        steps="steps",
    ),
)
