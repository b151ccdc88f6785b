"""ResNets and DenseNet with a dictionary, published as one system: known by names and widths, and computing the same,
written out here with torch's functions on the file's own names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import get
from tests.nnet.helpers.published_networks import (
    TOLERANCE,
    apply_linear,
    embed,
    feats_of,
    import_of,
    network,
    normalise,
    trained,
)

ATT = ["pooling.assignment=att", "pooling.distance=norm"]


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
