"""Weights with the names and shapes of each published system: all are taken, and the network computes what the system
does, written out here with torch's functions on the file's own names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import get
from tests.nnet.helpers.published_networks import (
    TOLERANCE,
    apply_linear,
    embed,
    feats_of,
    held,
    import_of,
    network,
    normalise,
    trained,
)

PUBLISHED: list[tuple[str, Callable[[], dict[str, Any]], dict[str, Any], int]] = [
    ("wq_lstm", files.wq_lstm, {}, 252_928),
    ("wq_transformer", files.wq_transformer, {}, 418_112),
    ("rf_gru", files.rf_gru, {}, 9_242_368),
    ("rf_gru", lambda: files.rf_gru(prefix=""), {}, 9_242_368),
    ("rf_convgru", files.rf_convgru, {}, 31_753_472),
    ("rf_convgru", lambda: files.rf_convgru(full=True), {}, 31_753_472),
    ("cj_transformer", files.cj, {}, 2_456_321),
    ("cj_lstm", files.cj_lstm, {}, 1_665_536),
    ("sc_xvector", files.sc, {}, 4_496_818),
    ("sc_xvector", lambda: files.sc(attentive=True), {}, 11_412_402),
]


@pytest.mark.parametrize(("name", "make", "choices", "numbers"), PUBLISHED)
def test_a_file_has_the_published_number_of_parameters_and_each_name_is_taken_or_reported(
    name: str, make: Callable[[], dict[str, Any]], choices: dict[str, Any], numbers: int
) -> None:
    content = make()
    assert trained(held(content)) == numbers
    imported = import_of(content, **choices)
    assert imported.system.name == name
    named = {*imported.origins.values(), *imported.left_out}
    assert {*held(content)} <= named
    net = network(imported)
    folded = 20 if "loss_fn.norm.weight" in content else 0  # a batch norm over 10 speakers
    own = sum(parameter.numel() for key, parameter in net.named_parameters() if key in imported.tensors)
    assert own == numbers - folded + ("loss_fn_state_dict" in content)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_an_lstm_computes_what_torchs_own_does(directions: int, pooling: str) -> None:
    content, feats = files.wq_lstm(directions, width=12), feats_of(30, 40)
    lstm = nn.LSTM(40, 12, 3, batch_first=True, bidirectional=directions == 2)
    lstm.load_state_dict({key.removeprefix("lstm."): value for key, value in content["encoder_state_dict"].items()})
    with torch.no_grad():
        states = lstm(feats)[0]
    expected = states.mean(dim=1) if pooling == "mean" else states[:, -1]
    imported = import_of(content, pooling=pooling)
    torch.testing.assert_close(embed(imported, feats), expected, **TOLERANCE)
    assert expected.shape == (1, 12 * directions)
    assert imported.assumed == {}


def test_a_gru_computes_what_the_published_one_does() -> None:
    content, feats = files.rf_gru(width=24), feats_of(50, 80) * 3 - 6
    gru = nn.GRU(80, 24, 3, batch_first=True)
    prefix = "model.rnn_stack."
    gru.load_state_dict({k.removeprefix(prefix): v for k, v in content.items() if k.startswith(prefix)})
    with torch.no_grad():
        last = gru((feats + 5.76) / 5.76)[0][:, -1]
    expected = functional.normalize(apply_linear(content, "model.projection", last))
    torch.testing.assert_close(embed(import_of(content), feats), expected, **TOLERANCE)


def test_convolutions_and_gru_on_the_waveform_compute_what_the_published_ones_do() -> None:
    content = files.rf_convgru(full=True, channels=24, width=16)
    weights, samples = content["model_state_dict"], torch.tanh(feats_of(1, 8000)[0] / 2)  # (1, 8000)
    frames = samples[:, None]
    for layer, stride in enumerate((5, 2, 2, 2, 2, 2, 2)):
        frames = functional.conv1d(frames, weights[f"conv_encoder.conv_layers.{layer}.0.weight"], stride=stride)
        if layer == 0:
            norm = [weights[f"conv_encoder.conv_layers.0.2.{key}"] for key in ("weight", "bias")]
            frames = functional.group_norm(frames, 24, *norm)
        frames = functional.gelu(frames)
    gru = nn.GRU(24, 16, 3, batch_first=True, bidirectional=True)
    gru.load_state_dict({k.removeprefix("rnn."): v for k, v in weights.items() if k.startswith("rnn.")})
    with torch.no_grad():
        states = gru(frames.transpose(1, 2))[0]
    ends = torch.cat([states[:, -1, :16], states[:, 0, 16:]], dim=1)
    expected = functional.normalize(apply_linear(weights, "head", ends))
    imported = import_of(content)
    torch.testing.assert_close(embed(imported, samples.reshape(1, 50, 160)), expected, **TOLERANCE)
    assert network(imported).loss_function.scale.value.item() == pytest.approx(3.25, abs=1e-6)
    assert "loss_fn.b" in imported.left_out
    assert imported.steps == 700000


def test_a_transformer_with_positions_computes_what_torchs_own_does() -> None:
    content, feats = files.cj(width=32, inner=48, count=64), feats_of(40, 80)
    weights = content["Model"]
    frames = functional.relu(functional.conv1d(feats.transpose(1, 2), weights["prenet.weight"], weights["prenet.bias"]))
    frames = frames + 0.7 * weights["positional_encoding.pe"][..., :40]
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    stack = nn.TransformerEncoder(layer, 3, nn.LayerNorm(32), enable_nested_tensor=False)
    stack.load_state_dict({k.removeprefix("transformer."): v for k, v in weights.items() if k[:5] == "trans"})
    with torch.no_grad():
        first = stack.eval()(frames.transpose(1, 2))[:, 0]
    projected = functional.conv1d(first[..., None], weights["projection.weight"], weights["projection.bias"])
    imported = import_of(content)
    torch.testing.assert_close(embed(imported, feats), functional.normalize(projected[..., 0]), **TOLERANCE)
    assert imported.assumed == {"features.config": "conf/logmel_hifigan_8k.conf", "encoder.heads": 4}
    assert imported.not_trained == ["loss_function.scale.raw"]


def xvector_frames(weights: dict[str, torch.Tensor], feats: torch.Tensor) -> torch.Tensor:
    """(1, T, 30) → (1, 1500, T − 8)."""
    frames = feats.transpose(1, 2)
    for layer, (dilation, padding) in enumerate(((1, 0), (2, 1), (3, 2)), start=1):
        name = f"tdnn.layer.{layer}.layer"
        conv = [weights[f"{name}.0.{key}"] for key in ("weight", "bias")]
        frames = functional.conv1d(frames, *conv, dilation=dilation, padding=padding)
        frames = functional.relu(normalise(weights, f"{name}.1", frames))
    for place in (5, 8):
        frames = apply_linear(weights, f"tdnn.layer.{place}", frames.transpose(1, 2)).transpose(1, 2)
        frames = functional.relu(normalise(weights, f"tdnn.layer.{place + 1}.layer.1", frames))
    return frames


@pytest.mark.parametrize("angular", [False, True])
def test_an_x_vector_with_plain_statistics_is_the_published_one(angular: bool) -> None:
    weights, feats = files.sc(angular=angular), feats_of(21, 30)  # few frames, where the deviations differ most
    frames = xvector_frames(weights, feats)
    assert frames.shape == (1, 1500, 13)
    pooled = torch.cat([frames.mean(dim=2), frames.std(dim=2, correction=1)], dim=1)
    imported = import_of(weights)
    torch.testing.assert_close(embed(imported, feats), apply_linear(weights, "fcn6", pooled), **TOLERANCE)
    assert get(imported.config, "loss.name") == ("asoftmax" if angular else "softmax")


def test_an_x_vector_with_five_attentions_is_the_published_one() -> None:
    weights, feats = files.sc(attentive=True), feats_of(60, 30)
    frames = xvector_frames(weights, feats)
    hidden = functional.conv1d(frames, weights["polling.attention.1.weight"])
    hidden = functional.relu(normalise(weights, "polling.attention.2", hidden)).transpose(1, 2)
    shares = apply_linear(weights, "polling.attention.5", hidden).softmax(dim=1)  # (1, T, 5)
    mean = frames @ shares
    deviation = (frames.square() @ shares - mean.square() + 1e-5).sqrt()
    pooled = torch.cat([mean, deviation], dim=1).flatten(1)
    torch.testing.assert_close(embed(import_of(weights), feats), apply_linear(weights, "fcn6", pooled), **TOLERANCE)


def test_the_softmax_of_an_x_vector_gives_the_published_scores_with_its_batch_norm_folded() -> None:
    weights, vectors = files.sc(), feats_of(1, 512)[0]
    hidden = functional.relu(normalise(weights, "post_xvector.0", vectors))
    hidden = functional.relu(normalise(weights, "post_xvector.3", apply_linear(weights, "post_xvector.2", hidden)))
    expected = normalise(weights, "loss_fn.norm", apply_linear(weights, "loss_fn.linear", hidden))
    net = network(import_of(weights))
    with torch.no_grad():
        torch.testing.assert_close(net.loss_function.linear(net.head(vectors)), expected, **TOLERANCE)
