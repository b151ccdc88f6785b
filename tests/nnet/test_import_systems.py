"""Weights with the names and shapes of each published system: all are taken, and the network computes what the system
does, written out here with torch's functions on the file's own names.

Tolerance 1e-5 of numbers about 1: float32 sums in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import published_files as files
import pytest
import torch
from torch import nn
from torch.nn import functional

from nnet.config import get
from nnet.extract import load_weights
from nnet.imports.convert import Imported, convert
from nnet.imports.reading import SourceFile
from nnet.imports.table import Choices
from nnet.model import SpeakerNet, build

TOLERANCE = {"atol": 1e-5, "rtol": 1e-4}
ATT = ["pooling.assignment=att", "pooling.distance=norm"]


def import_of(content: dict[str, Any], overrides: list[str] | None = None, **choices: Any) -> Imported:
    source = SourceFile(Path("published.pt"), dict(content), "0" * 64, 1 << 40)
    return convert(source, Choices(**choices), overrides or [])


def network(imported: Imported) -> SpeakerNet:
    net = build(imported.config, len(imported.speaker_ids))
    load_weights(net, imported.tensors, Path("published.pt"))
    return net.eval()


def embed(imported: Imported, feats: torch.Tensor) -> torch.Tensor:
    """(1, T, F) → (1, E)."""
    with torch.no_grad():
        return network(imported).embed(feats, torch.tensor([feats.shape[1]]))


def held(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a file, wherever they lie."""
    for holder in ("encoder_state_dict", "model_state_dict", "Model", "state_dict"):
        if holder in content:
            return content[holder]
    return content


def trained(weights: dict[str, torch.Tensor]) -> int:
    """Numbers that training changed."""
    left = ("running_mean", "running_var", "num_batches_tracked", "positional_encoding.pe")
    return sum(tensor.numel() for key, tensor in weights.items() if not key.endswith(left))


PUBLISHED: list[tuple[str, Callable[[], dict[str, Any]], dict[str, Any], int]] = [
    ("wq_lstm", files.wq_lstm, {}, 252_928),
    ("wq_transformer", files.wq_transformer, {}, 418_112),
    ("rf_gru", files.rf_gru, {}, 9_242_368),
    ("rf_gru", lambda: files.rf_gru(prefix=""), {}, 9_242_368),
    ("rf_convgru", files.rf_convgru, {}, 31_753_472),
    ("rf_convgru", lambda: files.rf_convgru(full=True), {}, 31_753_472),
    ("cj_transformer", files.cj, {}, 2_456_321),
    ("sc_xvector", files.sc, {}, 4_496_818),
    ("sc_xvector", lambda: files.sc(attentive=True), {}, 11_412_402),
]


@pytest.mark.parametrize(("name", "make", "choices", "numbers"), PUBLISHED)
def test_a_file_has_the_published_number_of_parameters_and_each_name_is_taken_or_told(
    name: str, make: Callable[[], dict[str, Any]], choices: dict[str, Any], numbers: int
) -> None:
    content = make()
    assert trained(held(content)) == numbers
    imported = import_of(content, **choices)
    assert imported.system.name == name
    told = {*imported.origins.values(), *imported.left_out}
    assert {*held(content)} <= told
    net = network(imported)
    folded = 20 if "loss_fn.norm.weight" in content else 0  # a batch norm over 10 speakers
    own = sum(parameter.numel() for key, parameter in net.named_parameters() if key in imported.tensors)
    assert own == numbers - folded + ("loss_fn_state_dict" in content)


@pytest.mark.parametrize(
    ("make", "spread", "encoder", "numbers"),
    [
        (files.jl_resnet, False, "resnet34", 3_436_496),
        (files.jl_resnet, True, "resnet34", 5_533_648),
        (lambda **options: files.jl_resnet(squeeze=True, **options), False, "se_resnet34", 3_446_320),
        (lambda **options: files.jl_resnet(squeeze=True, **options), True, "se_resnet34", 5_543_472),
        (lambda **options: files.jl_resnet(width=8, **options), False, "thin_resnet34", 1_386_872),
        (lambda **options: files.jl_resnet(width=8, **options), True, "thin_resnet34", 2_435_448),
        (files.jl_densenet, False, "densenet62", 2_250_929),
        (lambda **options: files.jl_densenet(dot=".", **options), True, "densenet62", 4_348_081),
    ],
)
@pytest.mark.parametrize("loss", ["softmax", "asoftmax"])
def test_each_dictionary_network_is_known_by_its_names_and_widths(
    make: Callable[..., dict[str, Any]], spread: bool, encoder: str, numbers: int, loss: str
) -> None:
    content = make(spread=spread)
    head = trained({key: value for key, value in content["state_dict"].items() if key.startswith("fc2.")})
    assert trained(content["state_dict"]) - head == numbers  # the published count is without the classes
    imported = import_of(content, loss=loss)
    assert get(imported.config, "encoder.name") == encoder
    assert get(imported.config, "pooling.output") == ("mean+std" if spread else "mean")
    left_out = {"fc2.bias"} if loss == "asoftmax" else set()
    assert {*imported.origins.values()} == {*content["state_dict"]} - left_out
    assert {*imported.left_out} == left_out | {"epoch", "best_acc", "optimizer"}
    net = network(imported)
    classes = net.loss_function.linear.weight if loss == "softmax" else net.loss_function.weight
    assert torch.equal(classes, content["state_dict"]["fc2.weight"])
    assert len(imported.speaker_ids) == len(set(imported.speaker_ids)) == 6
    assert imported.not_trained == []


def test_a_resnet34_has_227_entries_as_the_published_one() -> None:
    assert len(files.jl_resnet()["state_dict"]) == 227


def normalise(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    keys = ("running_mean", "running_var", "weight", "bias")
    return functional.batch_norm(x, *(weights[f"{name}.{key}"] for key in keys))


def apply_linear(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def feats_of(num_frames: int, dim: int) -> torch.Tensor:
    return torch.randn(1, num_frames, dim, generator=torch.Generator().manual_seed(3))


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


def dictionary(weights: dict[str, torch.Tensor], frames: torch.Tensor, att: bool, norm: bool, spread: bool) -> Any:
    """(1, T, C) → (1, D·C), or twice as many: each residual by itself."""
    centres, scales = weights["pool.dic"], weights["pool.wei"]
    residuals = frames[:, :, None] - centres  # (1, T, D, C)
    distances = residuals.norm(dim=3) if norm else residuals.square().sum(dim=3)
    shares = (-distances * (scales if att else scales**2)).softmax(dim=1 if att else 2)
    shares = (shares / (shares.sum(dim=1, keepdim=True) + 1e-9))[..., None]
    mean = (shares * residuals).sum(dim=1)
    if not spread:
        return mean.flatten(1)
    deviation = ((shares * residuals.square()).sum(dim=1) + 1e-8).sqrt()
    return torch.cat([mean, deviation], dim=2).flatten(1)


def resnet_frames(weights: dict[str, torch.Tensor], feats: torch.Tensor) -> torch.Tensor:
    """(1, T, 30) → (1, ceil(T / 8), C)."""

    def convolve(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = weights[f"{name}.weight"]
        return functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)

    planes = functional.relu(normalise(weights, "res.bn1", convolve("res.conv1", feats[:, None])))
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            name, stride = f"res.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = functional.relu(normalise(weights, f"{name}.bn1", convolve(f"{name}.conv1", planes, stride)))
            inner = normalise(weights, f"{name}.bn2", convolve(f"{name}.conv2", inner))
            if f"{name}.se.fc.0.weight" in weights:
                squeezed = functional.relu(apply_linear(weights, f"{name}.se.fc.0", inner.mean(dim=(2, 3))))
                inner = inner * apply_linear(weights, f"{name}.se.fc.2", squeezed).sigmoid()[..., None, None]
            if f"{name}.downsample.0.weight" in weights:
                outer = convolve(f"{name}.downsample.0", planes, stride)
                planes = normalise(weights, f"{name}.downsample.1", outer)
            planes = functional.relu(inner + planes)
    return functional.avg_pool2d(planes, (1, 3))[..., 0].transpose(1, 2)


def densenet_frames(weights: dict[str, torch.Tensor], feats: torch.Tensor) -> torch.Tensor:
    """(1, T, 30) → (1, floor(ceil(T / 2) / 8), 128)."""
    top = "res.features"

    def step(norm: str, conv: str, x: torch.Tensor) -> torch.Tensor:
        kernel = weights[f"{conv}.weight"]
        return functional.conv2d(functional.relu(normalise(weights, norm, x)), kernel, padding=kernel.shape[2] // 2)

    planes = functional.conv2d(feats[:, None], weights[f"{top}.conv0.weight"], stride=2, padding=3)
    planes = functional.relu(normalise(weights, f"{top}.norm0", planes))
    for block, layers in enumerate((3, 6, 12, 8), start=1):
        for layer in range(1, layers + 1):
            name = f"{top}.denseblock{block}.denselayer{layer}"
            inner = step(f"{name}.norm1", f"{name}.conv1", planes)
            planes = torch.cat([planes, step(f"{name}.norm2", f"{name}.conv2", inner)], dim=1)
        if block < 4:
            name = f"{top}.transition{block}"
            planes = functional.avg_pool2d(step(f"{name}.norm", f"{name}.conv", planes), 2)
    return normalise(weights, f"{top}.norm5", planes)[..., 0].transpose(1, 2)


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize(("assignment", "distance"), [("lde", "sqr"), ("att", "norm"), ("lde", "norm"), ("att", "sqr")])
def test_each_dictionary_pooling_and_fc11_are_the_published_ones(assignment: str, distance: str, spread: bool) -> None:
    content, feats = files.jl_resnet(width=8, spread=spread), feats_of(61, 30)
    weights = content["state_dict"]
    frames = resnet_frames(weights, feats)
    assert frames.shape == (1, 8, 64)
    pooled = dictionary(weights, frames, assignment == "att", distance == "norm", spread)
    imported = import_of(content, [f"pooling.assignment={assignment}", f"pooling.distance={distance}"])
    assert embed(imported, feats).shape == (1, 512)
    torch.testing.assert_close(embed(imported, feats), apply_linear(weights, "fc11", pooled), **TOLERANCE)
    assert imported.assumed == {"features.dim": 30, "loss.name": "asoftmax", "loss.margin": 2}


@pytest.mark.parametrize("squeeze", [False, True])
def test_each_resnet34_is_the_published_one(squeeze: bool) -> None:
    content, feats = files.jl_resnet(squeeze=squeeze), feats_of(45, 30)
    pooled = dictionary(content["state_dict"], resnet_frames(content["state_dict"], feats), False, False, False)
    expected = apply_linear(content["state_dict"], "fc11", pooled)
    torch.testing.assert_close(embed(import_of(content), feats), expected, **TOLERANCE)


def test_the_densenet62_is_the_published_one() -> None:
    content, feats = files.jl_densenet(), feats_of(77, 30)
    pooled = dictionary(content["state_dict"], densenet_frames(content["state_dict"], feats), True, True, False)
    expected = apply_linear(content["state_dict"], "fc11", pooled)
    torch.testing.assert_close(embed(import_of(content, ATT), feats), expected, **TOLERANCE)
