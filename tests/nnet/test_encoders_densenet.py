"""DenseNet62 over the time-frequency plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tests.nnet.helpers.slow_convolution as slow
from common.options import ConfigError
from nnet.encoders import DenseNet62Options
from nnet.encoders.densenet import DenseLayer, DenseNet62, Transition

SMALL = DenseNet62Options(growth=2, stem=3)


def prepare(module: nn.Module) -> nn.Module:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.bias, -1.0, 1.0)
            nn.init.uniform_(part.running_mean, -1.0, 1.0)  # type: ignore[arg-type]
            nn.init.uniform_(part.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return module.double().eval()


def make(options: DenseNet62Options, in_dim: int) -> DenseNet62:
    torch.manual_seed(0)
    encoder = DenseNet62(options, in_dim)
    prepare(encoder)
    return encoder


def test_it_has_62_layers_and_the_published_number_of_parameters() -> None:
    encoder = DenseNet62(DenseNet62Options(), 30)
    assert sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) == 62
    assert sum(p.numel() for p in encoder.parameters()) == 148_113
    assert encoder.out_dim == 128


@pytest.mark.parametrize("in_dim", [14, 31, 40])
def test_the_halving_of_variant_jl_refuses_features_that_it_cannot_take(in_dim: int) -> None:
    with pytest.raises(ConfigError, match=f"from 15 to 30; it is {in_dim}; set encoder.variant=own"):
        DenseNet62(DenseNet62Options(variant="jl"), in_dim)


@pytest.mark.parametrize("in_dim", [15, 16, 30])
def test_the_halving_of_variant_jl_leaves_one_column(in_dim: int) -> None:
    encoder = make(DenseNet62Options(growth=2, stem=3, variant="jl"), in_dim)
    columns: list[int] = []
    encoder.norm.register_forward_hook(lambda module, inputs, output: columns.append(output.shape[3]))
    with torch.no_grad():
        encoder(torch.randn(1, 20, in_dim, dtype=torch.float64), torch.tensor([20]))
    assert columns == [1]


@pytest.mark.parametrize("in_dim", [15, 16])
def test_where_no_column_is_odd_both_ways_of_halving_agree(in_dim: int) -> None:
    feats, lengths = torch.randn(1, 40, in_dim, dtype=torch.float64), torch.tensor([40])
    with torch.no_grad():
        up, _ = make(SMALL, in_dim)(feats, lengths)
        down, _ = make(DenseNet62Options(growth=2, stem=3, variant="jl"), in_dim)(feats, lengths)
    torch.testing.assert_close(up, down)


def test_every_feature_counts_where_halving_rounds_up() -> None:
    encoder = make(SMALL, 30)
    feats = torch.randn(1, 20, 30, dtype=torch.float64, requires_grad=True)
    frames, _ = encoder(feats, torch.tensor([20]))
    frames.sum().backward()
    assert feats.grad is not None
    assert (feats.grad[0, :16].abs().sum(dim=0) > 0).all()


def test_a_dense_layer_agrees_with_a_slow_one() -> None:
    torch.manual_seed(0)
    layer = prepare(DenseLayer(5, 2))
    planes = torch.randn(1, 5, 6, 7, dtype=torch.float64)
    before = planes[0].numpy()
    inner = slow.convolve(slow.relu(slow.normalise(before, layer.norm1)), layer.conv1)  # type: ignore[arg-type]
    added = slow.convolve(slow.relu(slow.normalise(inner, layer.norm2)), layer.conv2)  # type: ignore[arg-type]
    found = layer(planes, None)[0].detach().numpy()
    # 1e-12: float64 sums in another order.
    np.testing.assert_allclose(found, np.concatenate([before, added]), atol=1e-12)


@pytest.mark.parametrize("drop_odd", [False, True])
@pytest.mark.parametrize(("num_frames", "columns"), [(6, 4), (7, 5), (2, 3)])
def test_a_transition_agrees_with_a_slow_one(num_frames: int, columns: int, drop_odd: bool) -> None:
    torch.manual_seed(0)
    transition = prepare(Transition(5, drop_odd))
    planes = torch.randn(1, 5, num_frames, columns, dtype=torch.float64)
    inner = slow.relu(slow.normalise(planes[0].numpy(), transition.norm))  # type: ignore[arg-type]
    expected = slow.halve(slow.convolve(inner, transition.conv), not drop_odd)  # type: ignore[arg-type]
    found = transition(planes)[0].detach().numpy()
    assert found.shape == (2, num_frames // 2, columns // 2 if drop_odd else (columns + 1) // 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.slow
def test_it_can_be_exported() -> None:
    encoder = make(SMALL, 20)
    feats = torch.randn(2, 60, 20, dtype=torch.float64)
    program = torch.export.export(encoder, (feats, torch.tensor([60, 41])))
    feats, lengths = torch.randn(2, 60, 20, dtype=torch.float64), torch.tensor([33, 60])
    with torch.no_grad():
        expected, expected_lengths = encoder(feats, lengths)
        found, found_lengths = program.module()(feats, lengths)
    assert found_lengths.tolist() == expected_lengths.tolist()
    for index, length in enumerate(expected_lengths.tolist()):
        torch.testing.assert_close(found[index, :length], expected[index, :length])
