"""github.com/theScrabi/kaldi_voxceleb_pytorch: x-vectors with plain or attentive statistics, softmax or A-softmax.

A file holds its tensors at the top. The fourth and fifth layer are linear there and convolutions of one frame here.
The softmax has a batch norm on its scores, which becomes part of the linear layer: in evaluation the two are one affine
map. The deviation of the plain statistics is the unbiased one.
"""

from __future__ import annotations

import torch

from common.errors import InputError
from nnet.published.table import Choices, Plan, PublishedSystem, Rule, Sections, Tensors, shape_of

SOURCE = "github.com/theScrabi/kaldi_voxceleb_pytorch"
NORM_EPS = 1e-5  # torch's
PLAIN = {"name": "statistics", "unbiased": True, "variance_floor": 1e-12}  # a channel that is always 0 deviates by 0
LINEAR, NORM = "loss_fn.linear", "loss_fn.norm"
RULES = (
    Rule(r"tdnn\.layer\.([123])\.layer\.([01])\.(.+)", "encoder.layers.{1-1}.{2}.{3}"),
    Rule(r"tdnn\.layer\.5\.weight", "encoder.layers.3.0.weight", axis="added"),
    Rule(r"tdnn\.layer\.5\.bias", "encoder.layers.3.0.bias"),
    Rule(r"tdnn\.layer\.6\.layer\.1\.(.+)", "encoder.layers.3.1.{1}"),
    Rule(r"tdnn\.layer\.8\.weight", "encoder.layers.4.0.weight", axis="added"),
    Rule(r"tdnn\.layer\.8\.bias", "encoder.layers.4.0.bias"),
    Rule(r"tdnn\.layer\.9\.layer\.1\.(.+)", "encoder.layers.4.1.{1}"),
    Rule(r"polling\.attention\.1\.weight", "pooling.hidden.weight", axis="dropped"),
    Rule(r"polling\.attention\.2\.(.+)", "pooling.norm.{1}"),
    Rule(r"polling\.attention\.5\.weight", "pooling.scores.weight"),
    Rule(r"fcn6\.(.+)", "embedding.{1}"),
    Rule(r"post_xvector\.([023])\.(.+)", "head.{1}.{2}"),
    Rule(r"loss_fn\.linear\.(weight|bias)", "loss_function.linear.{1}"),
    Rule(r"loss_fn\.weight", "loss_function.weight"),
    Rule(
        r"loss_fn\.norm\.(weight|bias|running_mean|running_var|num_batches_tracked)",
        None,
        because="it is part of loss_function.linear now",
    ),
)


def plan_sc(tensors: Tensors, choices: Choices) -> Plan:
    """Five layers, statistics, an affine layer whose output is the x-vector, and all that follows it in training."""
    width, dim, _ = shape_of(tensors, "tdnn.layer.1.layer.0.weight", 3)
    angular = "loss_fn.weight" in tensors
    attentive = any(key.startswith("polling.") for key in tensors)
    base = "xvector_attentive" if attentive else "xvector_asoftmax"
    sections: Sections = {
        "features": {"type": "mfcc", "config": "conf/mfcc.conf", "dim": dim, "cmvn": True, "vad": True},
        "encoder": {
            "name": "tdnn",
            "width": width,
            "last_width": shape_of(tensors, "tdnn.layer.8.weight", 2)[0],
            "variant": "sc",
        },
        "pooling": _multi_head(tensors) if attentive else PLAIN,
        "embedding": {"dim": shape_of(tensors, "fcn6.weight", 2)[0], "normalise": False},
        "head": {"batch_norm": True, "relu": True, "hidden": [shape_of(tensors, "post_xvector.2.weight", 2)[0]]},
        "loss": _asoftmax() if angular else {"name": "softmax"},
        "inference": {"mode": "whole"},
    }
    num_classes = shape_of(tensors, "loss_fn.weight" if angular else f"{LINEAR}.weight", 2)[0]
    folded = {} if angular else _folded(tensors)
    notes = (f"{NORM}.* became part of {LINEAR}",) if folded else ()
    assumed = ("loss.margin",) if angular else ()
    return Plan(base, sections, RULES, num_classes, assumed, {**tensors, **folded}, notes)


def _multi_head(tensors: Tensors) -> dict[str, object]:
    heads, hidden = shape_of(tensors, "polling.attention.5.weight", 2)
    return {"name": "multi_head", "heads": heads, "hidden": hidden, "penalty": 0.01}


def _asoftmax() -> dict[str, object]:
    return {"name": "asoftmax", "margin": 2, "lambda_base": 1000, "lambda_min": 5, "lambda_gamma": 0.15}


def _folded(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The linear layer of the softmax joined with the batch norm after it; empty if there is none.

    γ (W x + b − μ) / √(σ² + ε) + β is an affine map of x.

    Raises:
        InputError: one of γ, b, μ, σ² and β is missing, or does not have a number for each class.
    """
    if not any(key.startswith(f"{NORM}.") for key in tensors):
        return {}
    classes = shape_of(tensors, f"{LINEAR}.weight", 2)[0]
    names = ("weight", "bias", "running_mean", "running_var")
    for key in (f"{LINEAR}.bias", *(f"{NORM}.{name}" for name in names)):
        shape = shape_of(tensors, key, 1)
        if shape != (classes,):
            raise InputError(f"{key}: its shape is {shape}, expected ({classes},), a number for each class")
    gain, shift, mean, variance = (tensors[f"{NORM}.{name}"].double() for name in names)
    scale = gain / (variance + NORM_EPS).sqrt()
    weight = scale[:, None] * tensors[f"{LINEAR}.weight"].double()
    bias = scale * (tensors[f"{LINEAR}.bias"].double() - mean) + shift
    return {f"{LINEAR}.weight": weight.float(), f"{LINEAR}.bias": bias.float()}


SYSTEMS = (
    PublishedSystem(
        name="sc_xvector",
        format="sc",
        source=SOURCE,
        signature=(r"tdnn\.layer\.1\.layer\.0\.weight", r"fcn6\.weight", r"post_xvector\.2\.weight"),
        plan=plan_sc,
    ),
)
