"""github.com/jefflai108/pytorch-kaldi-neural-speaker-embeddings: ResNets and a DenseNet, a dictionary, two heads.

A file is {epoch, state_dict, best_acc, optimizer}. The encoder is known by its names and widths, the dictionary's size
by `pool.dic`, mean or mean with spread by the width of `fc11`. No name says the assignment and the distance of the
dictionary, nor whether the head is a softmax or A-softmax; those of the published recipe are taken. Of an
A-softmax `fc2.bias` is left out, which that loss never used.
"""

from __future__ import annotations

from typing import Any

from common.errors import InputError
from nnet.published.table import Choices, Plan, PublishedSystem, Rule, Sections, Tensors, shape_of

SOURCE = "github.com/jefflai108/pytorch-kaldi-neural-speaker-embeddings"
RESNET_RULES = (
    Rule(r"res\.(conv1|bn1)\.(.+)", "encoder.{1}.{2}"),
    Rule(r"res\.layer([1-4])\.(\d+)\.se\.fc\.0\.weight", "encoder.stages.{1-1}.{2}.squeeze.squeeze.weight"),
    Rule(r"res\.layer([1-4])\.(\d+)\.se\.fc\.2\.weight", "encoder.stages.{1-1}.{2}.squeeze.excite.weight"),
    Rule(r"res\.layer([1-4])\.(\d+)\.((?:conv[12]|bn[12]|downsample\.[01])\..+)", "encoder.stages.{1-1}.{2}.{3}"),
)
DENSE_LAYER = r"res\.features\.denseblock([1-4])\.denselayer(\d{1,4})\."
DENSENET_RULES = (
    Rule(r"res\.features\.conv0\.(.+)", "encoder.stem.{1}"),
    Rule(r"res\.features\.norm0\.(.+)", "encoder.stem_norm.{1}"),
    # torchvision once wrote norm.1 for norm1.
    Rule(DENSE_LAYER + r"(norm|conv)\.?([12])\.(.+)", "encoder.blocks.{1-1}.{2-1}.{3}{4}.{5}"),
    Rule(r"res\.features\.transition([1-3])\.(norm|conv)\.(.+)", "encoder.transitions.{1-1}.{2}.{3}"),
    Rule(r"res\.features\.norm5\.(.+)", "encoder.norm.{1}"),
)
POOLING_RULES = (
    Rule(r"pool\.dic", "pooling.centres"),
    Rule(r"pool\.wei", "pooling.scales"),
    Rule(r"fc11\.(.+)", "embedding.{1}"),
    Rule(r"bn1\.(.+)", "head.0.{1}"),
)
LOSS_RULES = {
    "softmax": (Rule(r"fc2\.(weight|bias)", "loss_function.linear.{1}"),),
    "asoftmax": (
        Rule(r"fc2\.weight", "loss_function.weight"),
        Rule(r"fc2\.bias", None, because="A-softmax has no use for it"),
    ),
}
LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"name": "softmax"},
    "asoftmax": {"name": "asoftmax", "margin": 2, "lambda_base": 1500, "lambda_min": 5, "lambda_gamma": 0.01},
}


def plan_jl(tensors: Tensors, choices: Choices) -> Plan:
    """Encoder, dictionary, the affine layer fc11 whose output is the embedding, and the head."""
    loss = choices.loss or "asoftmax"
    encoder, rules = encoder_of(tensors)
    sections: Sections = {
        "features": {"type": "fbank", "config": "conf/fbank.conf", "dim": 30, "cmvn": True, "vad": True},
        "encoder": encoder,
        "pooling": pooling_of(tensors),
        "embedding": {"dim": shape_of(tensors, "fc11.weight", 2)[0], "normalise": False},
        "head": {"batch_norm": True, "relu": loss == "softmax", "hidden": []},
        "loss": LOSSES[loss],
        "inference": {"mode": "whole"},
    }
    assumed = ["features.dim", "pooling.assignment", "pooling.distance"]
    assumed += [] if choices.loss else ["loss.name"]
    assumed += ["loss.margin"] if loss == "asoftmax" else []
    num_classes = shape_of(tensors, "fc2.weight", 2)[0]
    base = "lde1" if loss == "softmax" else "lde3"
    return Plan(base, sections, (*rules, *POOLING_RULES, *LOSS_RULES[loss]), num_classes, tuple(assumed))


def encoder_of(tensors: Tensors) -> tuple[dict[str, Any], tuple[Rule, ...]]:
    """The section `encoder`, and the rules of its tensors."""
    if any(key.startswith("res.features.") for key in tensors):
        growth = shape_of(tensors, _dense_key(tensors), 4)[0]
        stem = shape_of(tensors, "res.features.conv0.weight", 4)[0]
        return {"name": "densenet62", "growth": growth, "stem": stem, "variant": "jl"}, DENSENET_RULES
    width = shape_of(tensors, "res.conv1.weight", 4)[0]
    squeeze = any(".se.fc." in key for key in tensors)
    name = "se_resnet34" if squeeze else "thin_resnet34" if width == 8 else "resnet34"
    return {"name": name, "width": width, "variant": "jl"}, RESNET_RULES


def _dense_key(tensors: Tensors) -> str:
    """The convolution that has as many channels as each layer adds."""
    new, old = (f"res.features.denseblock1.denselayer1.conv{number}.weight" for number in ("2", ".2"))
    return old if old in tensors else new


def pooling_of(tensors: Tensors) -> dict[str, Any]:
    """The section `pooling`.

    Raises:
        InputError: fc11 takes neither the means of the dictionary's entries nor twice as many numbers.
    """
    components, channels = shape_of(tensors, "pool.dic", 2)
    width = shape_of(tensors, "fc11.weight", 2)[1]
    outputs = {components * channels: "mean", 2 * components * channels: "mean+std"}
    if width not in outputs:
        raise InputError(f"fc11.weight: takes {width} numbers, expected {' or '.join(map(str, outputs))} of pool.dic")
    options = {"name": "lde", "components": components, "output": outputs[width]}
    return {**options, "assignment": "lde", "distance": "sqr", "centred": False}


SYSTEMS = (
    PublishedSystem(
        name="jl_lde",
        format="jl",
        source=SOURCE,
        signature=(r"res\..+", r"pool\.dic", r"pool\.wei", r"fc11\.weight"),
        plan=plan_jl,
        holders={"state_dict": ""},
        beside=("epoch", "best_acc", "optimizer"),
        options=("loss",),
    ),
)
