"""State dicts with the names and shapes of published checkpoints, and random numbers in them.

The names are those that the published programs write; nothing here is taken from the importer's tables.
"""

from __future__ import annotations

import math
from typing import Any

import torch

Weights = dict[str, torch.Tensor]


def normal(*shape: int, generator: torch.Generator) -> torch.Tensor:
    """Numbers of the size that keeps a layer's output near its input."""
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 100
    return torch.randn(*shape, generator=generator) / math.sqrt(fan_in)


def batch_norm(name: str, channels: int, generator: torch.Generator) -> Weights:
    rows = {key: torch.randn(channels, generator=generator) * 0.1 for key in ("weight", "bias", "running_mean")}
    rows["weight"] += 1
    rows["running_var"] = torch.rand(channels, generator=generator) + 0.5
    rows["num_batches_tracked"] = torch.tensor(7)
    return {f"{name}.{key}": value for key, value in rows.items()}


def affine(name: str, shape: tuple[int, ...], generator: torch.Generator, bias: bool = True) -> Weights:
    weight = {f"{name}.weight": normal(*shape, generator=generator)}
    return weight | ({f"{name}.bias": normal(shape[0], generator=generator)} if bias else {})


def layer_norm(name: str, width: int, generator: torch.Generator) -> Weights:
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": normal(width, generator=generator)}


def recurrent(prefix: str, gates: int, dim: int, width: int, layers: int, directions: int, seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for layer in range(layers):
        inputs = dim if layer == 0 else directions * width
        for suffix in (f"l{layer}", f"l{layer}_reverse")[:directions]:
            weights[f"{prefix}weight_ih_{suffix}"] = normal(gates * width, inputs, generator=generator)
            weights[f"{prefix}weight_hh_{suffix}"] = normal(gates * width, width, generator=generator)
            for kind in ("ih", "hh"):
                weights[f"{prefix}bias_{kind}_{suffix}"] = normal(gates * width, generator=generator)
    return weights


def attention(name: str, width: int, generator: torch.Generator) -> Weights:
    return {
        f"{name}.in_proj_weight": normal(3 * width, width, generator=generator),
        f"{name}.in_proj_bias": normal(3 * width, generator=generator),
        **affine(f"{name}.out_proj", (width, width), generator),
    }


def transformer_layer(name: str, width: int, inner: int, decoder: bool, generator: torch.Generator) -> Weights:
    weights = attention(f"{name}.self_attn", width, generator)
    if decoder:
        weights |= attention(f"{name}.multihead_attn", width, generator)
    weights |= affine(f"{name}.linear1", (inner, width), generator) | affine(
        f"{name}.linear2", (width, inner), generator
    )
    for number in range(1, 4 if decoder else 3):
        weights |= layer_norm(f"{name}.norm{number}", width, generator)
    return weights


def wq_lstm(directions: int = 2, width: int = 64) -> dict[str, Any]:
    return {
        "encoder_state_dict": recurrent("lstm.", 4, 40, width, 3, directions),
        "losses": [0.1, 0.2],
        "training_time": 3.5,
    }


def wq_transformer() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    weights = affine("linear_layer", (32, 40), generator)
    for layer in range(2):
        weights |= transformer_layer(f"encoder.layers.{layer}", 32, 2048, False, generator)
    weights |= transformer_layer("decoder.layers.0", 32, 2048, True, generator)
    return {"encoder_state_dict": weights, "losses": [0.1], "training_time": 3.5}


def rf_gru(prefix: str = "model.", width: int = 768) -> Weights:
    generator = torch.Generator().manual_seed(1)
    weights = recurrent(f"{prefix}rnn_stack.", 3, 80, width, 3, 1)
    return weights | affine(f"{prefix}projection", (256, width), generator)


def rf_convgru(full: bool = False, channels: int = 512, width: int = 768) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    weights = {}
    for layer, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        shape = (channels, channels if layer else 1, kernel)
        weights[f"conv_encoder.conv_layers.{layer}.0.weight"] = 2 * normal(*shape, generator=generator)
    weights |= layer_norm("conv_encoder.conv_layers.0.2", channels, generator)
    weights |= recurrent("rnn.", 3, channels, width, 3, 2) | affine("head", (256, 2 * width), generator)
    content: dict[str, Any] = {"model_state_dict": weights, "steps": 700000, "epoch": 12}
    if full:
        content["loss_fn_state_dict"] = {"w": torch.tensor(3.25), "b": torch.tensor(-4.0)}
        content |= {"optim_state_dict": {"state": {}, "param_groups": []}, "scheduler_state_dict": {"last_epoch": 3}}
        content["scaler_state_dict"] = None
    return content


def positions(count: int, width: int) -> torch.Tensor:
    """(1, C, count), one angle after another."""
    table = torch.zeros(1, width, count, dtype=torch.float64)
    for channel in range(0, width, 2):
        angles = torch.arange(count, dtype=torch.float64) * 10000.0 ** (-channel / width)
        table[0, channel], table[0, channel + 1] = angles.sin(), angles.cos()
    return table.float()


def cj(width: int = 256, inner: int = 1024, count: int = 1024) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    weights = affine("prenet", (width, 80, 1), generator)
    weights |= {"positional_encoding.alpha": torch.tensor([0.7]), "positional_encoding.pe": positions(count, width)}
    for layer in range(3):
        weights |= transformer_layer(f"transformer.layers.{layer}", width, inner, False, generator)
    weights |= layer_norm("transformer.norm", width, generator) | affine("projection", (width, width, 1), generator)
    return {"Model": weights, "Optimizer": {"state": {}}, "Scheduler": {"last_epoch": 1}, "Steps": 52000}


def cj_lstm(width: int = 256, layers: int = 3, dim: int = 256) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    weights = affine("layer_Dict.Prenet", (width, 80), generator)
    for layer in range(layers):
        weights |= recurrent(f"layer_Dict.LSTM_{layer}.", 4, width, width, 1, 1, seed=layer)
    weights |= affine("layer_Dict.Linear", (dim, width), generator)
    return {"Model": weights, "Optimizer": {"state": {}}, "Scheduler": {"last_epoch": 1}, "Steps": 81000, "Epochs": 9}


def sc(attentive: bool = False, angular: bool = False, speakers: int = 10) -> Weights:
    generator = torch.Generator().manual_seed(0)
    weights: Weights = {}
    for layer, shape in enumerate([(512, 30, 5), (512, 512, 3), (512, 512, 3)], start=1):
        weights |= affine(f"tdnn.layer.{layer}.layer.0", shape, generator)
        weights |= batch_norm(f"tdnn.layer.{layer}.layer.1", 512, generator)
    for place, (outputs, inputs) in ((5, (512, 512)), (8, (1500, 512))):
        weights |= affine(f"tdnn.layer.{place}", (outputs, inputs), generator)
        weights |= batch_norm(f"tdnn.layer.{place + 1}.layer.1", outputs, generator)
    if attentive:
        weights |= affine("polling.attention.1", (512, 1500, 1), generator, bias=False)
        weights |= batch_norm("polling.attention.2", 512, generator)
        weights |= affine("polling.attention.5", (5, 512), generator, bias=False)
    weights |= affine("fcn6", (512, 15000 if attentive else 3000), generator)
    weights |= batch_norm("post_xvector.0", 512, generator) | affine("post_xvector.2", (512, 512), generator)
    weights |= batch_norm("post_xvector.3", 512, generator)
    if angular:
        return weights | {"loss_fn.weight": normal(speakers, 512, generator=generator)}
    return (
        weights | affine("loss_fn.linear", (speakers, 512), generator) | batch_norm("loss_fn.norm", speakers, generator)
    )


def jl_resnet(width: int = 16, squeeze: bool = False, spread: bool = False, speakers: int = 6) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    weights = affine("res.conv1", (width, 1, 7, 7), generator, bias=False) | batch_norm("res.bn1", width, generator)
    inputs = width
    for stage, blocks in enumerate((3, 4, 6, 3)):
        outputs = width * 2**stage
        for block in range(blocks):
            name = f"res.layer{stage + 1}.{block}"
            for number, source in ((1, inputs), (2, outputs)):
                weights |= affine(f"{name}.conv{number}", (outputs, source, 3, 3), generator, bias=False)
                weights |= batch_norm(f"{name}.bn{number}", outputs, generator)
            if squeeze:
                hidden = max(1, outputs // 16)
                weights |= affine(f"{name}.se.fc.0", (hidden, outputs), generator, bias=False)
                weights |= affine(f"{name}.se.fc.2", (outputs, hidden), generator, bias=False)
            if inputs != outputs:
                weights |= affine(f"{name}.downsample.0", (outputs, inputs, 1, 1), generator, bias=False)
                weights |= batch_norm(f"{name}.downsample.1", outputs, generator)
            inputs = outputs
    return jl_content(weights, inputs, spread, speakers, generator)


def jl_densenet(spread: bool = False, speakers: int = 6, dot: str = "") -> dict[str, Any]:
    """`dot`: "." for the names of torchvision before 0.3."""
    generator = torch.Generator().manual_seed(0)
    weights = affine("res.features.conv0", (15, 1, 7, 7), generator, bias=False)
    weights |= batch_norm("res.features.norm0", 15, generator)
    channels = 15
    for block, layers in enumerate((3, 6, 12, 8), start=1):
        for layer in range(1, layers + 1):
            name = f"res.features.denseblock{block}.denselayer{layer}"
            weights |= batch_norm(f"{name}.norm{dot}1", channels, generator)
            weights |= affine(f"{name}.conv{dot}1", (32, channels, 1, 1), generator, bias=False)
            weights |= batch_norm(f"{name}.norm{dot}2", 32, generator)
            weights |= affine(f"{name}.conv{dot}2", (8, 32, 3, 3), generator, bias=False)
            channels += 8
        if block < 4:
            weights |= batch_norm(f"res.features.transition{block}.norm", channels, generator)
            shape = (channels // 2, channels, 1, 1)
            weights |= affine(f"res.features.transition{block}.conv", shape, generator, bias=False)
            channels //= 2
    weights |= batch_norm("res.features.norm5", channels, generator)
    return jl_content(weights, channels, spread, speakers, generator)


def jl_content(
    weights: Weights, channels: int, spread: bool, speakers: int, generator: torch.Generator
) -> dict[str, Any]:
    weights["pool.dic"] = torch.rand(32, channels, generator=generator) * 2 - 1
    weights["pool.wei"] = torch.rand(32, generator=generator) * 0.2 + 0.1
    weights |= affine("fc11", (512, 32 * channels * (2 if spread else 1)), generator)
    weights |= batch_norm("bn1", 512, generator) | affine("fc2", (speakers, 512), generator)
    return {
        "epoch": 30,
        "state_dict": weights,
        "best_acc": 97.5,
        "optimizer": {"d_model": 64, "optimizer": {"state": {}}},
    }
